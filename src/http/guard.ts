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
import { isFromOwnPage } from './cross-site';
import { whyNotLocal } from './local';
import type { AccessEvent } from '../mysql/tables/access-events';
import type { Metrics } from './metrics';
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
  config: Pick<Config, 'ACCESS' | 'PUBLIC_ROUTES'>;
  directory: Directory;
  sessions: Sessions;
  accessLog: AccessLog;
  metrics: Metrics;
}

const BEARER = /^Bearer +(\S+) *$/i;
/** They change nothing, so it does not matter whose page has them sent. */
const SAFE_METHODS = new Set(['GET', 'HEAD']);

/**
 * Lets a request through only where the table of routes allows it (route.ts). A route without an entry, which only a plugin
 * can bring, is for administrators.
 */
export function guard(app: App, { config, directory, sessions, accessLog, metrics }: GuardDeps): void {
  const openRoutes = openAccesses(config.PUBLIC_ROUTES);
  const isOpenHere = () => config.ACCESS === 'auto' && directory.isEmpty;

  app.decorateRequest('caller', undefined);
  // A hook with a callback: of nearly all requests everything that is needed is in memory.
  app.addHook('onRequest', (request, reply, done) => {
    const access: Access = request.is404 ? 'open' : (request.routeOptions.config.access ?? 'admin');
    if (access === 'open') return done();
    if (isOpenHere()) {
      const reason = whyNotLocal(request);
      return reason === undefined ? done() : refuse(reply, done, notLocal(reason));
    }
    if (openRoutes.has(access)) return done();
    const serve = (caller: Principal, keyId?: string) => {
      request.caller = caller;
      const refusal = whyNot(caller, access);
      if (refusal === undefined) return done();
      note(request, { reason: 'forbidden', principalId: caller.id, keyId });
      refuse(reply, done, refusal);
    };
    const turnAway = ({ problem, ...noted }: TurnedAway) => {
      if (noted.reason !== undefined) note(request, noted);
      refuse(reply, done, problem);
    };
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) byKey(authorization, serve, turnAway, done);
    else if (cookie !== undefined) bySession(request, serve, turnAway, done);
    else
      turnAway({
        problem: unauthenticated('Send a key of Tally, as Authorization: Bearer tally_…, or log in.'),
      });
  });

  type Serve = (caller: Principal, keyId?: string) => void;
  type TurnAway = (whom: TurnedAway) => void;
  type Fail = (error: Error) => void;

  function byKey(authorization: string, serve: Serve, turnAway: TurnAway, fail: Fail): void {
    const [, text = ''] = BEARER.exec(authorization) ?? [];
    const token = parseToken(text);
    if (token === undefined) {
      const detail =
        'What Authorization holds is no key of Tally, which is sent as Authorization: Bearer tally_…';
      return turnAway({ problem: unauthenticated(detail) });
    }
    const decide = (key: OwnedKey | undefined) => {
      const refused = key === undefined ? unknownKey(token, 'unknown') : whyNoKey(key, token);
      if (refused !== undefined) return turnAway(refused);
      if (key === undefined) return undefined;
      directory.noteUse(key.id);
      serve(key.owner, key.id);
    };
    const known = directory.key(token.id);
    if (known !== undefined) return decide(known);
    const failed = (error: unknown) => fail(unreachableProblem(error) ?? mysqlUnreachable(error));
    directory.keyAfterLook(token.id).then(decide, failed);
  }

  function bySession(request: FastifyRequest, serve: Serve, turnAway: TurnAway, fail: Fail): void {
    sessions.identify(request, (error, person) => {
      if (error) return fail(error);
      if (person === undefined)
        return turnAway({ problem: unauthenticated('Nobody is logged in: the session is over.') });
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

/** Why a caller may not do this; undefined where he may. */
function whyNot(caller: Principal, access: Exclude<Access, 'open'>): Problem | undefined {
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
