import type { FastifySchema } from 'fastify';
import type { z } from 'zod';
import { formatLogPosition } from '../domain/log-position';
import type { ProblemSlug } from '../domain/problems';
import type { Positioned, ReadOptions } from '../read-model/reader';
import { problemResponses } from './problems';
import { readHeaders, type Parsed, type Reply } from './requests';

const READ_PROBLEMS: ProblemSlug[] = [
  'invalid-request',
  'unknown-position',
  'read-model-unreachable',
  'read-model-building',
  'read-model-diverged',
  'read-model-damaged',
  'read-model-behind',
];

const HEADERS = {
  'Tally-Position': {
    type: 'string',
    description:
      'The log position that the answer shows, `position:event_id`; a later read can ask for it with `Tally-Min-Position`',
  },
};

interface ReadRoute extends FastifySchema {
  answer: z.ZodType;
  /** Besides those that every read may have. */
  problems?: ProblemSlug[];
}

/** A route that reads the read model: at least at `Tally-Min-Position`, and `Tally-Position` says where. */
export function readRoute<R extends ReadRoute>(
  { answer, problems = [], ...request }: R,
  read: (request: Parsed<R>, options: ReadOptions) => Promise<Positioned<z.output<R['answer']>>>,
) {
  return {
    schema: {
      ...request,
      headers: readHeaders,
      response: {
        200: answer.meta({ headers: HEADERS }),
        ...problemResponses([...READ_PROBLEMS, ...problems]),
      },
    },
    handler: async (request: Parsed<R> & { headers: z.output<typeof readHeaders> }, reply: Reply) => {
      const { at, value } = await read(request, { minPosition: request.headers['tally-min-position'] });
      reply.header('tally-position', formatLogPosition(at));
      return value;
    },
  };
}
