import type { FastifyReply, FastifyRequest } from 'fastify';
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
  metrics: Metrics;
}

const BEARER = /^Bearer +(\S+) *$/i;
/** They change nothing, so it does not matter whose page has them sent. */
const SAFE_METHODS = new Set(['GET', 'HEAD']);

/**
 * Lets a request through only where the table of routes allows it (route.ts). A route without an entry, which only a plugin
 * can bring, is for administrators.
 */
export function guard(app: App, { config, directory, sessions, metrics }: GuardDeps): void {
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
    identify(request, (error, caller) => {
      const refusal = caller instanceof Problem ? caller : whyNot(caller, access);
      if (error) done(error);
      else if (refusal !== undefined) refuse(reply, done, refusal);
      else done();
    });
  });

  type Told = (error: Error | undefined, caller?: Principal | Problem) => void;

  function identify(request: FastifyRequest, done: Told): void {
    const identified: Told = (error, caller) => {
      if (!(caller instanceof Problem)) request.caller = caller;
      done(error, caller);
    };
    if (request.headers.authorization !== undefined) byKey(request.headers.authorization, identified);
    else if (request.headers.cookie !== undefined) bySession(request, identified);
    else
      done(undefined, unauthenticated('Send a key of Tally, as Authorization: Bearer tally_…, or log in.'));
  }

  function byKey(authorization: string, done: Told): void {
    const [, text = ''] = BEARER.exec(authorization) ?? [];
    const token = parseToken(text);
    if (token === undefined) {
      const detail =
        'What Authorization holds is no key of Tally, which is sent as Authorization: Bearer tally_…';
      return done(undefined, unauthenticated(detail));
    }
    const known = directory.key(token.id);
    if (known !== undefined) return done(undefined, ownerOf(known, token));
    const found = (key: OwnedKey | undefined) => done(undefined, ownerOf(key, token));
    const fail = (error: unknown) => done(unreachableProblem(error) ?? mysqlUnreachable(error));
    directory.keyAfterLook(token.id).then(found, fail);
  }

  function ownerOf(key: OwnedKey | undefined, { secret }: Token): Principal | Problem {
    if (key === undefined || !isSecretOf(key, secret))
      return unauthenticated('Tally does not know this key.');
    const ended = whyEnded(key, instantAt(Date.now()));
    // Only who has the secret is told.
    if (ended !== undefined) return unauthenticated(`This key is ${ended}: ask for another one.`);
    directory.noteUse(key.id);
    return key.owner;
  }

  function bySession(request: FastifyRequest, done: Told): void {
    sessions.identify(request, (error, person) => {
      if (error) return done(error);
      if (person === undefined)
        return done(undefined, unauthenticated('Nobody is logged in: the session is over.'));
      if (!SAFE_METHODS.has(request.method) && !isFromOwnPage(request)) {
        return done(
          undefined,
          new Problem('cross-site', 'The browser does not say that a page of Tally sends this.'),
        );
      }
      done(undefined, person);
    });
  }

  function refuse(reply: FastifyReply, done: (error: Error) => void, problem: Problem): void {
    metrics.accessRefused.inc({ problem: problem.slug });
    if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="tally"');
    done(problem);
  }
}

/** Why a caller may not do this; undefined where he may. */
function whyNot(caller: Principal | undefined, access: Exclude<Access, 'open'>): Problem | undefined {
  if (caller === undefined) return unauthenticated('Nobody is logged in.');
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
