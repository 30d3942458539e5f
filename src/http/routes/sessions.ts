import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AccessLog } from '../../access/access-log';
import {
  attemptNotMade,
  attemptSucceeded,
  beginAttempt,
  isKnown,
  type Attempt,
} from '../../access/login-attempts';
import { isPassword } from '../../access/passwords';
import { endAllSessions, endOneSession, putIdentity } from '../../access/people';
import { PERMISSIONS, ROLES } from '../../access/permissions';
import type { Person } from '../../access/principal';
import type { SingleSignOn } from '../../access/single-sign-on';
import type { Directory } from '../../access/directory';
import { instantAt } from '../../domain/ids';
import { Problem, type ProblemSlug } from '../../domain/problems';
import { failureOf } from '../../mysql/failures';
import { queueIsFull, unreachableProblem, type Database } from '../../mysql/pool';
import { passwordOf } from '../../mysql/tables/passwords';
import { sessionContent, storedId, type SessionContent } from '../../sessions/session';
import { isFromAnotherSite } from '../cross-site';
import { problemResponses, routeNotFound } from '../problems';
import { networkOf } from '../rate-limits';
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

/** Says which name a browser has logged in with, for login-attempts.ts; signed. */
const BROWSER_COOKIE = 'tally_browser';
const BROWSER_MAX_AGE_S = 365 * 86_400;

/** Longer ones would cost the service more than the guesser. */
const login = z.strictObject({ name: z.string().min(1).max(64), password: z.string().min(1).max(200) });

const caller = z.object({
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

/** Where to go after the login: on this service, whatever is in the link that somebody was sent. */
const localPath = z
  .string()
  .regex(/^\/([\x21-.0-[\]-~][\x21-~]{0,499})?$/, 'must be a path of this service')
  .default('/');

const tags = ['sessions'];
const withProblems = (...slugs: ProblemSlug[]) =>
  problemResponses(['sessions-unreachable', 'mysql-unreachable', 'mysql-unwritable', 'cross-site', ...slugs]);

/** Logging in and out. In a scope of its own, with the plugin for sessions. */
export async function sessionRoutes(app: App, deps: SessionRouteDeps): Promise<void> {
  const { sessions, directory, database, accessLog, singleSignOn } = deps;
  await sessions.register(app);

  route(app, 'POST /session', {
    schema: {
      tags,
      operationId: 'logIn',
      summary: 'Log in; the session is a cookie',
      body: login.meta({ examples: [{ name: 'ada', password: 'correct horse battery staple' }] }),
      response: {
        201: caller,
        ...withProblems('invalid-request', 'wrong-login', 'too-many-logins', 'too-many-requests'),
      },
    },
    handler: async (request, reply) => {
      if (isFromAnotherSite(request))
        throw new Problem('cross-site', 'A page of another site sends this login.');
      const { name, password } = request.body;
      const attempt = { name, address: networkOf(request.ip), knownBrowser: knownBrowser(request) };
      const person = await checkedPerson(attempt, password).catch((error: unknown) => {
        if (error instanceof Problem) {
          accessLog.note({ what: 'login-refused', reason: error.slug, address: request.ip });
        }
        throw notDone(error);
      });
      await sessions.begin(request, person);
      rememberBrowser(request, reply, person);
      accessLog.note({ what: 'logged-in', principalId: person.id, address: request.ip });
      return reply.code(201).send(describe(person));
    },
  });

  // For browsers, and no part of the API.
  route(app, 'GET /session/oidc', {
    schema: { hide: true, querystring: z.strictObject({ return_to: localPath }) },
    handler: async (request, reply) => {
      const { return_to: returnTo } = request.query;
      // A link on any page leads here: it must log nobody out.
      if (sessions.isLoggedIn(request)) return reply.redirect(returnTo);
      const { url, login } = await provider(request).begin(returnTo);
      await sessions.beginLogin(request, login);
      return reply.redirect(url);
    },
  });

  route(app, 'GET /session/oidc/callback', {
    schema: { hide: true },
    handler: async (request, reply) => {
      const { login } = request.session;
      const signOn = provider(request);
      const refused = (reason: string) =>
        accessLog.note({ what: 'login-refused', reason, address: request.ip });
      if (login === undefined) {
        refused('not-begun');
        throw new Problem(
          'login-failed',
          'This login has not begun in this browser, or took longer than 10 minutes.',
        );
      }
      const query = new URL(request.url, 'http://tally').search;
      const identity = await signOn.finish(query, login).catch((error: unknown) => {
        if (error instanceof Problem) refused(error.slug);
        throw error;
      });
      const known = await putIdentity(database, directory, identity).catch((error: unknown) => {
        throw notDone(error);
      });
      const person = directory.principal(known);
      if (person?.kind !== 'person' || person.role === undefined) {
        refused('forbidden');
        throw new Problem('forbidden', 'The provider gives you no role of Tally.');
      }
      await sessions.begin(request, person);
      accessLog.note({ what: 'logged-in', principalId: person.id, address: request.ip });
      return reply.redirect(login.returnTo);
    },
  });

  /** @throws Problem `route-not-found` */
  function provider(request: FastifyRequest): SingleSignOn {
    return singleSignOn ?? routeNotFound(request);
  }

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
        : describe(caller),
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
      const own = await sessionsOf(personOf(request));
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
      const [found] = [...(await sessionsOf(personOf(request)))].filter(
        ([stored]) => handleOf(stored) === id,
      );
      if (found === undefined) throw new Problem('session-not-found', `You have no session ${id}.`);
      const count = await end(...found);
      await sessions.store.end(found[0]);
      return { ended: count };
    },
  });

  /** @throws Problem `wrong-login`, the same whether there is such a name or not. */
  async function checkedPerson(attempt: Attempt, password: string): Promise<Person> {
    await beginAttempt(database, attempt);
    const person = await directory.personAfterLook(attempt.name);
    const hash =
      person?.role === undefined
        ? undefined
        : await database.session((session) => session.ask(passwordOf(person.id)));
    const guest = isKnown(attempt) ? 'known' : 'stranger';
    const isRight = await isPassword(password, hash, guest).catch(async (error: unknown) => {
      await attemptNotMade(database, attempt);
      throw error;
    });
    if (!isRight || person === undefined) {
      throw new Problem('wrong-login', 'There is no person with this name and password.');
    }
    await attemptSucceeded(database, attempt);
    return person;
  }

  async function sessionsOf({ id, sessionKey }: Person): Promise<Map<string, SessionContent>> {
    const texts = await sessions.store.ofOwner(String(id));
    const own = new Map<string, SessionContent>();
    for (const [stored, text] of texts) {
      const { data } = sessionContent.safeParse(JSON.parse(text).content);
      if (data?.sessionKey === sessionKey && !directory.isEnded(stored)) own.set(stored, data);
    }
    return own;
  }

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
    const { size } = await sessionsOf(person);
    await inMysql(() => endAllSessions(database, person));
    return size;
  }
}

/** What is answered where MySQL did not do its part. */
function notDone(error: unknown): unknown {
  // Too many logins of one name or address at this moment.
  if (failureOf(error) === 'lock-conflict') return queueIsFull(error);
  return unreachableProblem(error) ?? error;
}

/** The guard lets only people through to these routes. */
function personOf({ caller }: FastifyRequest): Person {
  if (caller?.kind !== 'person') throw new Problem('unauthenticated', 'Log in first, by POST /session.');
  return caller;
}

function describe(principal: NonNullable<FastifyRequest['caller']>) {
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

function knownBrowser(request: FastifyRequest): string | undefined {
  const { valid, value } = request.unsignCookie(request.cookies[BROWSER_COOKIE] ?? '');
  return valid ? value : undefined;
}

function rememberBrowser(request: FastifyRequest, reply: FastifyReply, { name }: Person): void {
  void reply.setCookie(BROWSER_COOKIE, name, {
    path: '/session',
    signed: true,
    httpOnly: true,
    sameSite: 'strict',
    secure: request.protocol === 'https',
    maxAge: BROWSER_MAX_AGE_S,
  });
}
