import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccessLog } from '../access/access-log';
import { isSecretOf, parseToken, whyEnded, type OwnedKey, type Token } from '../access/api-key';
import type { Directory } from '../access/directory';
import { permits } from '../access/permissions';
import type { Principal } from '../access/principal';
import type { Config } from '../config';
import { instantAt } from '../domain/ids';
import { Problem } from '../domain/problems';
import { mysqlUnreachable, unreachableProblem } from '../mysql/pool';
import { isFromOwnPage, SAFE_METHODS } from './cross-site';
import { areDoorsOpen, isLoopback, whyNotLocal } from './local';
import type { AccessEvent } from '../mysql/tables/access-events';
import type { Metrics } from './metrics';
import type { RateLimits } from './rate-limits';
import type { Access } from './route';
import type { App } from './server';
import type { Sessions } from './sessions';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; undefined where nobody has to say so. */
    caller: Principal | undefined;
  }
}

export interface GuardDeps {
  config: Pick<Config, 'ACCESS' | 'HOST' | 'OIDC_ISSUER' | 'PUBLIC_ROUTES'>;
  directory: Directory;
  sessions: Sessions;
  accessLog: AccessLog;
  rateLimits: RateLimits;
  metrics: Metrics;
}

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * Lets a request through only where the table of routes allows it (route.ts), and the rate limits. A route without an entry,
 * which only a plugin can bring, is for administrators.
 */
export function guard(app: App, deps: GuardDeps): void {
  const { config, directory, sessions, accessLog, rateLimits, metrics } = deps;
  const openRoutes = openAccesses(config.PUBLIC_ROUTES);
  // A service that started closed, and whose keys are then gone, as after a restore of MySQL, is not open to others.
  const mayBeOpen = isLoopback(config.HOST);

  app.decorateRequest('caller', undefined);
  // A hook with a callback: of nearly all requests everything that is needed is in memory.
  app.addHook('onRequest', (request, reply, done) => {
    const access: Access = request.is404 ? 'open' : (request.routeOptions.config.access ?? 'admin');
    if (access === 'open') return done();
    if (mayBeOpen && areDoorsOpen(config, directory)) {
      const reason = whyNotLocal(request);
      return reason === undefined ? done() : refuse(reply, done, notLocal(reason));
    }
    // Before anything is said of a key, and before MySQL is asked for one: that slows down whoever tries many.
    const countAddress = (next: () => void) =>
      rateLimits.countAddress(request, reply, (tooMany) => (tooMany === undefined ? next() : done(tooMany)));
    if (access === 'login' || openRoutes.has(access)) return countAddress(done);
    const serve = (caller: Principal, keyId?: string) => {
      request.caller = caller;
      rateLimits.countPrincipal(caller, reply, (tooMany) => {
        const refusal = tooMany ?? whyNot(caller, access);
        if (refusal === undefined || refusal === tooMany) return done(refusal);
        note(request, { reason: 'forbidden', principalId: caller.id, keyId });
        refuse(reply, done, refusal);
      });
    };
    const turnAway = ({ problem, ...noted }: TurnedAway) => {
      if (noted.reason !== undefined) note(request, noted);
      refuse(reply, done, problem);
    };
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) byKey(authorization, { serve, turnAway, countAddress, fail: done });
    else if (cookie !== undefined) bySession(request, { serve, turnAway, countAddress, fail: done });
    else countAddress(() => turnAway({ problem: unauthenticated(NO_KEY) }));
  });

  function byKey(authorization: string, { serve, turnAway, countAddress, fail }: Ways): void {
    const [, text = ''] = BEARER.exec(authorization) ?? [];
    const token = parseToken(text);
    if (token === undefined) return countAddress(() => turnAway({ problem: unauthenticated(NOT_A_KEY) }));
    const serveOwner = ({ id, owner }: OwnedKey) => {
      directory.noteUse(id);
      serve(owner, id);
    };
    const known = directory.key(token.id);
    if (known !== undefined) {
      const refused = whyNoKey(known, token);
      return refused === undefined ? serveOwner(known) : countAddress(() => turnAway(refused));
    }
    countAddress(() => {
      const decide = (found: OwnedKey | undefined) => {
        const refused = found === undefined ? unknownKey(token, 'unknown') : whyNoKey(found, token);
        if (refused !== undefined) turnAway(refused);
        else if (found !== undefined) serveOwner(found);
      };
      const failed = (error: unknown) => fail(unreachableProblem(error) ?? mysqlUnreachable(error));
      directory.keyAfterLook(token.id).then(decide, failed);
    });
  }

  function bySession(request: FastifyRequest, { serve, turnAway, countAddress, fail }: Ways): void {
    sessions.identify(request, (error, person) => {
      if (error) return fail(error);
      if (person === undefined) return countAddress(() => turnAway({ problem: unauthenticated(NO_SESSION) }));
      if (SAFE_METHODS.has(request.method) || isFromOwnPage(request)) return serve(person);
      const detail = 'The browser does not say that a page of Tally sends this.';
      turnAway({ problem: new Problem('cross-site', detail), reason: 'cross-site', principalId: person.id });
    });
  }

  function note(request: FastifyRequest, event: Omit<TurnedAway, 'problem'>): void {
    const what = event.keyId === undefined ? 'session-refused' : 'key-refused';
    const route = `${request.method} ${request.routeOptions.url}`;
    accessLog.note({ ...event, what, route, address: request.ip });
  }

  function refuse(reply: FastifyReply, done: (error: Error) => void, problem: Problem): void {
    metrics.accessRefused.inc({ problem: problem.slug });
    if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="tally"');
    done(problem);
  }
}

/** Whom Tally does not serve, and what the audit says of it. */
interface TurnedAway extends Pick<AccessEvent, 'principalId' | 'keyId' | 'reason'> {
  problem: Problem;
}

function unknownKey({ id }: Token, reason: string): TurnedAway {
  return { problem: unauthenticated('Tally does not know this key.'), reason, keyId: id };
}

/** Why a key is not taken; undefined where it is. */
function whyNoKey(key: OwnedKey, token: Token): TurnedAway | undefined {
  if (!isSecretOf(key, token.secret)) return unknownKey(token, 'wrong-secret');
  const ended = whyEnded(key, instantAt(Date.now()));
  if (ended === undefined) return undefined;
  // Only who has the secret is told.
  const problem = unauthenticated(`This key is ${ended}: ask for another one.`);
  return { problem, reason: ended, keyId: key.id, principalId: key.owner.id };
}

const NO_KEY = 'Send a key of Tally, as Authorization: Bearer tally_…, or log in.';
const NOT_A_KEY =
  'What Authorization holds is no key of Tally, which is sent as Authorization: Bearer tally_…';
const NO_SESSION = 'Nobody is logged in: the session is over.';

/** How a request goes on once it is clear who asks. */
interface Ways {
  serve: (caller: Principal, keyId?: string) => void;
  turnAway: (whom: TurnedAway) => void;
  /** Counts the request for its address, and goes on where that is not one too many. */
  countAddress: (next: () => void) => void;
  /** It cannot be found out who asks. */
  fail: (error: Error) => void;
}

/** Why a caller may not do this; undefined where he may. */
function whyNot(caller: Principal, access: Exclude<Access, 'open' | 'login'>): Problem | undefined {
  if (access === 'caller' || (access === 'session' && caller.kind === 'person')) return undefined;
  if (access === 'session')
    return new Problem('forbidden', 'Only people have sessions: this is for who is logged in.');
  const needed = access === 'docs' || access === 'metrics' ? 'reports:read' : access;
  if (permits(caller.permissions, needed)) return undefined;
  return new Problem('forbidden', `${caller.name} lacks the permission ${needed}.`);
}

function openAccesses(setting: Config['PUBLIC_ROUTES']): ReadonlySet<Access> {
  return new Set((['docs', 'metrics'] as const).filter((name) => setting.split(',').includes(name)));
}

function unauthenticated(detail: string): Problem {
  return new Problem('unauthenticated', detail);
}

function notLocal(reason: string): Problem {
  const detail =
    `Nobody has been given a key yet, so Tally answers only programs on its own machine, and of this request ${reason}. ` +
    '`tally key create` makes the first key.';
  return new Problem('not-local', detail);
}
