import type { FastifyRequest, FastifySchema } from 'fastify';
import { z } from 'zod';
import type { Request } from '../commands/writer/command';
import { keyedIdentity, uniqueIdentity, type CommandIdentity } from '../commands/writer/identity';
import { subjectId, type LoggedEvent } from '../domain/events';
import { instantAt } from '../domain/ids';
import { formatLogPosition } from '../domain/log-position';
import type { ProblemSlug } from '../domain/problems';
import type { HttpContext } from './context';
import { problemResponses } from './problems';
import { commandHeaders, type Parsed, type Reply } from './requests';

const COMMAND_PROBLEMS: ProblemSlug[] = [
  'invalid-request',
  'idempotency-key-reused',
  'overloaded',
  'mysql-unreachable',
  'mysql-unwritable',
  'too-large-for-mysql',
  'outcome-unknown',
];
const BODY_PROBLEMS: ProblemSlug[] = ['malformed-json', 'body-too-large', 'unsupported-media-type'];

/** What every answer to a command says besides its own content. */
const COMMAND_ANSWER = {
  position: z
    .int()
    .min(1)
    .meta({ description: 'Position of the command in the log', examples: [42] }),
  projected: z.boolean().meta({ description: 'Whether the reports contain it already; if not, they will' }),
};

const HEADERS = {
  'Tally-Position': {
    type: 'string',
    description:
      'The log position of the command, `position:event_id`; a read can ask for it with `Tally-Min-Position`',
  },
  'Idempotent-Replayed': {
    type: 'string',
    description: '`true` where an earlier request with this Idempotency-Key carried the command out',
  },
};

interface CommandRoute extends FastifySchema {
  /** 201: the command creates something, and `Location` says where it is. */
  status: 200 | 201;
  /** What the answer says besides the position. */
  answer: z.ZodObject;
  /** Besides those that every command may have. */
  problems: ProblemSlug[];
}

/**
 * A route that carries out a command and then waits, within a bound, until the reports contain it.
 * @param answerOf makes the answer of the command's own event.
 */
export function commandRoute<R extends CommandRoute, L extends LoggedEvent>(
  context: HttpContext,
  { status, answer, problems, ...request }: R,
  carryOut: (request: Parsed<R>, command: Request) => Promise<{ logged: L; replayed: boolean }>,
  answerOf: (logged: L, request: Parsed<R>) => z.output<R['answer']>,
) {
  return {
    schema: {
      ...request,
      headers: commandHeaders,
      response: {
        [status]: answer.extend(COMMAND_ANSWER).meta({ headers: HEADERS }),
        ...problemResponses([
          ...COMMAND_PROBLEMS,
          ...(request.body === undefined ? [] : BODY_PROBLEMS),
          ...problems,
        ]),
      },
    },
    handler: async (request: FastifyRequest & Parsed<R>, reply: Reply) => {
      const { caller } = request;
      const command = { identity: identityOf(request), now: instantAt(Date.now()), actor: caller?.id };
      const { logged, replayed } = await carryOut(request, command);
      if (replayed) reply.header('idempotent-replayed', 'true');
      else context.metrics.carriedOut(logged.event.type);
      const projected = await context.awaitProjected(logged);
      reply.header('tally-position', formatLogPosition(logged));
      reply.code(status);
      if (status === 201) reply.header('location', `${request.routeOptions.url}/${subjectId(logged.event)}`);
      return { ...answerOf(logged, request), position: logged.position, projected };
    },
  };
}

/** The identity of the command that a request asks for: that of its Idempotency-Key, or one of its own. */
function identityOf(request: FastifyRequest): CommandIdentity {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string') return uniqueIdentity();
  const route = `${request.method} ${request.routeOptions.url}`;
  // A key belongs to who sent it, whichever API key he has now; whoever need not say who he is shares with the others.
  const caller = request.caller === undefined ? 'anonymous' : `principal ${request.caller.id}`;
  return keyedIdentity({ caller, route, key }, [request.params, jsonSafe(request.body)]);
}

/** A validated body may hold amounts as bigint. */
function jsonSafe(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]): [string, unknown] => [
      name,
      typeof value === 'bigint' ? String(value) : value,
    ]),
  );
}
