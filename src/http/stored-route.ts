import type { FastifySchema } from 'fastify';
import type { z } from 'zod';
import type { ProblemSlug } from '../domain/problems';
import { problemResponses } from './problems';
import type { Parsed } from './requests';

interface StoredRoute extends FastifySchema {
  answer: z.ZodType;
  problems?: ProblemSlug[];
}

/** A route that reads MySQL, so its answer has no log position. */
export function storedRoute<R extends StoredRoute>(
  { answer, problems = [], ...request }: R,
  read: (request: Parsed<R>) => Promise<z.output<R['answer']>>,
) {
  const responses = problemResponses([
    'invalid-request',
    'overloaded',
    'mysql-unreachable',
    'mysql-unwritable',
    ...problems,
  ]);
  return {
    schema: { ...request, response: { 200: answer, ...responses } },
    handler: async (request: Parsed<R>) => read(request),
  };
}
