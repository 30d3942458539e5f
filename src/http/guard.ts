import type { FastifyReply, FastifyRequest } from 'fastify';
import { isSecretOf, parseToken, whyEnded, type OwnedKey } from '../access/api-key';
import type { Directory } from '../access/directory';
import { permits, type Permission } from '../access/permissions';
import type { Principal } from '../access/principal';
import type { Config } from '../config';
import { instantAt } from '../domain/ids';
import { Problem } from '../domain/problems';
import { mysqlUnreachable, unreachableProblem } from '../mysql/pool';
import { whyNotLocal } from './local';
import type { Metrics } from './metrics';
import type { Access } from './route';
import type { App } from './server';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; undefined where nobody has to say so. */
    caller: Principal | undefined;
  }
}

export interface GuardDeps {
  config: Pick<Config, 'ACCESS' | 'PUBLIC_ROUTES'>;
  directory: Directory;
  metrics: Metrics;
}

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * Lets a request through only where the table of routes allows it (route.ts). A route without an entry, which only a plugin
 * can bring, is for administrators.
 */
export function guard(app: App, { config, directory, metrics }: GuardDeps): void {
  const publicRoutes = new Set<Access>(publicAccesses(config.PUBLIC_ROUTES));
  const isOpenHere = () => config.ACCESS === 'auto' && directory.isEmpty;

  app.decorateRequest('caller', undefined);
  // A hook with a callback: of nearly all requests everything that is needed is in memory.
  app.addHook('onRequest', (request, reply, done) => {
    const access = request.is404 ? 'open' : (request.routeOptions.config.access ?? 'admin');
    if (access === 'open') return done();
    if (isOpenHere()) {
      const reason = whyNotLocal(request);
      return reason === undefined ? done() : refuse(reply, done, notLocal(reason));
    }
    if (publicRoutes.has(access)) return done();
    const needed = permissionFor(access);
    const decide = (key: OwnedKey | undefined) => {
      const refusal = admit(request, key, needed);
      if (refusal === undefined) done();
      else refuse(reply, done, refusal);
    };
    const token = tokenOf(request);
    if (token === undefined) return refuse(reply, done, noKey(request));
    const known = directory.key(token.id);
    if (known !== undefined) return decide(known);
    const fail = (error: unknown) => done(unreachableProblem(error) ?? mysqlUnreachable(error));
    directory.keyAfterLook(token.id).then(decide, fail);
  });

  /** @returns why not. */
  function admit(
    request: FastifyRequest,
    key: OwnedKey | undefined,
    needed: Permission,
  ): Problem | undefined {
    const secret = tokenOf(request)?.secret ?? '';
    if (key === undefined || !isSecretOf(key, secret))
      return unauthenticated('Tally does not know this key.');
    const ended = whyEnded(key, instantAt(Date.now()));
    // Only who has the secret is told.
    if (ended !== undefined) return unauthenticated(`This key is ${ended}: ask for another one.`);
    directory.noteUse(key.id);
    request.caller = key.owner;
    if (permits(key.owner.permissions, needed)) return undefined;
    return new Problem('forbidden', `${key.owner.name} lacks the permission ${needed}.`);
  }

  function refuse(reply: FastifyReply, done: (error: Error) => void, problem: Problem): void {
    metrics.accessRefused.inc({ problem: problem.slug });
    if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="tally"');
    done(problem);
  }
}

function publicAccesses(setting: Config['PUBLIC_ROUTES']): Access[] {
  return (['docs', 'metrics'] as const).filter((name) => setting.split(',').includes(name));
}

/** What it takes where a route is not public. */
function permissionFor(access: Exclude<Access, 'open'>): Permission {
  return access === 'docs' || access === 'metrics' ? 'reports:read' : access;
}

function tokenOf({ headers }: FastifyRequest) {
  const [, text] = BEARER.exec(headers.authorization ?? '') ?? [];
  return text === undefined ? undefined : parseToken(text);
}

function noKey({ headers }: FastifyRequest): Problem {
  return unauthenticated(
    headers.authorization === undefined
      ? 'Send a key of Tally, as Authorization: Bearer tally_…'
      : 'What Authorization holds is no key of Tally, which is sent as Authorization: Bearer tally_…',
  );
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
