import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AccessLog } from '../../access/access-log';
import { endAllSessions, endOneSession } from '../../access/people';
import { PERMISSIONS, ROLES } from '../../access/permissions';
import type { Person } from '../../access/principal';
import type { SingleSignOn } from '../../access/single-sign-on';
import type { Directory } from '../../access/directory';
import { instantAt } from '../../domain/ids';
import { Problem, type ProblemSlug } from '../../domain/problems';
import { failureOf } from '../../mysql/failures';
import { queueIsFull, unreachableProblem, type Database } from '../../mysql/pool';
import { storedId, type SessionContent } from '../../sessions/session';
import { problemResponses } from '../problems';
import { route } from '../route';
import type { App } from '../server';
import { SESSION_COOKIE, type Sessions } from '../sessions';

export interface SessionRouteDeps {
  sessions: Sessions;
  directory: Directory;
  /** For logins, which write. */
  database: Database;
  accessLog: AccessLog;
  /** Undefined where no provider is configured. */
  singleSignOn: SingleSignOn | undefined;
}

/** Who asks, as answers say it. */
export const caller = z.object({
  kind: z.enum(['person', 'program', 'local']).meta({
    description: '`local`: nobody has been given access yet, and programs on this machine may do everything',
  }),
  name: z.string().nullable(),
  role: z.enum(Object.keys(ROLES)).nullable(),
  permissions: z.array(z.enum(Object.keys(PERMISSIONS))),
});

const instant = z.iso.datetime();

const sessionList = z.object({
  sessions: z.array(
    z.object({
      id: z.string(),
      current: z.boolean(),
      began_at: instant,
      used_at: instant.meta({ description: 'To the minute' }),
      ends_at: instant.meta({ description: 'If it is not used any more' }),
      address: z.string(),
      browser: z.string(),
    }),
  ),
});

const ended = z.object({ ended: z.int() });

export const tags = ['sessions'];
export const withProblems = (...slugs: ProblemSlug[]) =>
  problemResponses(['sessions-unreachable', 'mysql-unreachable', 'mysql-unwritable', 'cross-site', ...slugs]);

/** Who is logged in, and where. In the scope of the plugin for sessions. */
export function sessionRoutes(
  app: App,
  { sessions, directory, database, accessLog }: SessionRouteDeps,
): void {
  route(app, 'GET /session', {
    schema: {
      tags,
      operationId: 'getCaller',
      summary: 'Who is asking, and what he may do',
      response: { 200: caller, ...withProblems() },
    },
    handler: ({ caller }) =>
      caller === undefined
        ? { kind: 'local' as const, name: null, role: null, permissions: ['admin' as const] }
        : describeCaller(caller),
  });

  route(app, 'DELETE /session', {
    schema: {
      tags,
      operationId: 'logOut',
      summary: 'Log out, here or everywhere',
      querystring: z.strictObject({
        everywhere: z
          .enum(['true', 'false'])
          .default('false')
          .meta({ examples: ['true'] }),
      }),
      response: { 200: ended, ...withProblems('invalid-request') },
    },
    handler: async (request, reply) => {
      const person = personOf(request);
      const everywhere = request.query.everywhere === 'true';
      const count = everywhere
        ? await endAll(person)
        : await end(storedId(request.session.sessionId), request.session.content);
      await request.session.destroy();
      void reply.clearCookie(SESSION_COOKIE, { path: '/' });
      accessLog.note({ what: 'logged-out', principalId: person.id, address: request.ip });
      return { ended: count };
    },
  });

  route(app, 'GET /sessions', {
    schema: {
      tags,
      operationId: 'listSessions',
      summary: 'Where I am logged in',
      response: { 200: sessionList, ...withProblems() },
    },
    handler: async (request) => {
      const current = storedId(request.session.sessionId);
      const own = await sessions.ofPerson(personOf(request));
      return {
        sessions: [...own].map(([id, { beganAt, usedAt, address, browser }]) => ({
          id: handleOf(id),
          current: id === current,
          began_at: instantAt(beganAt),
          used_at: instantAt(usedAt),
          ends_at: instantAt(Math.min(usedAt + sessions.limits.idleMs, beganAt + sessions.limits.longestMs)),
          address,
          browser,
        })),
      };
    },
  });

  route(app, 'DELETE /sessions/:id', {
    schema: {
      tags,
      operationId: 'endSession',
      summary: 'End one of my sessions',
      params: z.strictObject({
        id: z
          .string()
          .regex(/^[0-9a-f]{16}$/, 'must be the id of a session')
          .meta({ examples: ['0123456789abcdef'] }),
      }),
      response: { 200: ended, ...withProblems('invalid-request', 'session-not-found') },
    },
    handler: async (request) => {
      const { id } = request.params;
      const [found] = [...(await sessions.ofPerson(personOf(request)))].filter(
        ([stored]) => handleOf(stored) === id,
      );
      if (found === undefined) throw new Problem('session-not-found', `You have no session ${id}.`);
      const count = await end(...found);
      await sessions.store.end(found[0]);
      return { ended: count };
    },
  });

  /**
   * First in MySQL, for good. If the store cannot be reached afterwards, or is an older copy of itself one day, the session
   * has ended all the same.
   */
  async function end(stored: string, content: SessionContent | undefined): Promise<number> {
    const endsAt = (content?.beganAt ?? Date.now()) + sessions.limits.longestMs;
    await inMysql(() => endOneSession(database, stored, instantAt(endsAt)));
    return 1;
  }

  /** Changes who may do what; then this instance knows of it. */
  async function inMysql(change: () => Promise<void>): Promise<void> {
    try {
      await change();
      await directory.look();
    } catch (error) {
      throw notDone(error);
    }
  }

  async function endAll(person: Person): Promise<number> {
    const { size } = await sessions.ofPerson(person);
    await inMysql(() => endAllSessions(database, person));
    return size;
  }
}

/** What is answered where MySQL did not do its part. */
export function notDone(error: unknown): unknown {
  // Too many logins of one name or address at this moment.
  if (failureOf(error) === 'lock-conflict') return queueIsFull(error);
  return unreachableProblem(error) ?? error;
}

/** The guard lets only people through to these routes. */
function personOf({ caller }: FastifyRequest): Person {
  if (caller?.kind !== 'person') throw new Problem('unauthenticated', 'Log in first, by POST /session.');
  return caller;
}

export function describeCaller(principal: NonNullable<FastifyRequest['caller']>) {
  const { kind, name, permissions } = principal;
  return {
    kind,
    name,
    role: principal.kind === 'person' ? (principal.role ?? null) : null,
    permissions: [...permissions],
  };
}

/** Of a session's stored id, enough to tell one's own sessions apart. */
function handleOf(stored: string): string {
  return stored.slice(0, 16);
}
