import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import fastJson, { type Schema } from 'fast-json-stringify';
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AccessLog } from '../access/access-log';
import type { Directory } from '../access/directory';
import type { RateLimiter } from '../access/rate-limit';
import { SingleSignOn } from '../access/single-sign-on';
import type { Config } from '../config';
import { plainEnglish } from '../domain/plain-english';
import { Problem } from '../domain/problems';
import type { SessionStore } from '../sessions/store';
import { takeJson } from './body';
import { Connections } from './connections';
import type { HttpContext } from './context';
import { allowOrigins } from './cors';
import { FailureLog } from './failure-log';
import { guard } from './guard';
import { describeApi, docsRoutes, openApiRoute } from './openapi';
import { pathOf, routeNotFound, sendProblem } from './problems';
import { RateLimits } from './rate-limits';
import { route } from './route';
import { auditRoutes } from './routes/audit';
import { catalogueRoutes } from './routes/catalogue';
import { loginRoute } from './routes/login';
import { operationsRoutes } from './routes/operations';
import { orderRoutes } from './routes/orders';
import { reportRoutes } from './routes/reports';
import { sessionRoutes } from './routes/sessions';
import { singleSignOnRoutes } from './routes/single-sign-on';
import { Sessions } from './sessions';
import { SECURITY_HEADERS } from './security-headers';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface ServerDeps {
  config: Pick<
    Config,
    | 'BODY_LIMIT_BYTES'
    | 'MAX_CONNECTIONS'
    | 'REQUEST_TIMEOUT_MS'
    | 'DOCS'
    | 'ACCESS'
    | 'HOST'
    | 'PUBLIC_URL'
    | 'OIDC_ISSUER'
    | 'OIDC_CLIENT_ID'
    | 'OIDC_CLIENT_SECRET'
    | 'OIDC_ROLE_CLAIM'
    | 'PUBLIC_ROUTES'
    | 'SESSION_IDLE_S'
    | 'SESSION_MAX_S'
    | 'SESSION_SECRETS'
    | 'RATE_LIMIT'
    | 'RATE_LIMIT_ANONYMOUS'
    | 'TRUST_PROXY'
    | 'CORS_ORIGINS'
  >;
  version: string;
  log: FastifyBaseLogger;
  context: HttpContext;
  directory: Directory;
  /** Where the sessions of people are. */
  sessionStore: SessionStore;
  accessLog: AccessLog;
  limiter: RateLimiter;
}

const REQUEST_ID = /^[\w.:-]{1,64}$/;
/** How often Node looks for requests that have not arrived within the time. */
const TIMEOUT_CHECK_MS = 1_000;
/** A socket on which nothing moves: its client reads no answers. Longer than any request may take. */
const SILENT_SOCKET_MS = 300_000;

/** The HTTP server with all its routes, not yet listening. */
export async function buildServer({
  config,
  version,
  log,
  context,
  directory,
  sessionStore,
  accessLog,
  limiter,
}: ServerDeps): Promise<App> {
  const connections = new Connections(context.metrics);
  const failures = new FailureLog();
  const answerFailure = (error: FastifyError | Problem, request: FastifyRequest, reply: FastifyReply) =>
    sendProblem(error, request, reply, failures);
  const app = fastify({
    loggerInstance: log,
    // One line per request; the hook below writes it.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.BODY_LIMIT_BYTES,
    trustProxy: config.TRUST_PROXY ?? false,
    // They are refused by a problem document: see connections.ts.
    return503OnClosing: false,
    requestTimeout: config.REQUEST_TIMEOUT_MS,
    connectionTimeout: SILENT_SOCKET_MS,
    http: {
      requireHostHeader: false, // see connections.ts
      // Node takes the greater of the two for the body, and its own default is a minute.
      headersTimeout: config.REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, config.REQUEST_TIMEOUT_MS),
    },
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    clientErrorHandler: (error, socket) => connections.refuse(error, socket),
    frameworkErrors: (error, request, reply) => void answerFailure(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validatorCompiler);
  z.config({ customError: plainEnglish });
  // The schemas of the answers are compiled: running zod on every answer would cost more than the report itself.
  app.setSerializerCompiler<z.ZodType>(({ schema }) =>
    // Two libraries' types of the same thing: a JSON schema.
    oncePerValue(fastJson(z.toJSONSchema(schema, { target: 'draft-7' }) as Schema)),
  );
  takeJson(app);
  app.setErrorHandler<FastifyError | Problem>(answerFailure);
  app.setNotFoundHandler(routeNotFound);

  connections.bound(app, config.MAX_CONNECTIONS);
  // Hooks with callbacks: every request runs them, and a promise would cost more than what they do.
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id).headers(SECURITY_HEADERS);
    done();
  });
  // Before the guard: a preflight has no key, and a refusal may be read, too.
  if (config.CORS_ORIGINS !== undefined) await allowOrigins(app, config.CORS_ORIGINS);
  const { metrics } = context;
  const sessions = new Sessions({ config, store: sessionStore, directory });
  const rateLimits = new RateLimits({ config, limiter, metrics });
  guard(app, { config, directory, sessions, accessLog, rateLimits, metrics });
  const logsAnswers = log.level === 'info' || log.level === 'debug' || log.level === 'trace';
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const { method } = request;
    const { statusCode: status, elapsedTime } = reply;
    context.metrics.requestSeconds.observe({ method, route, status }, elapsedTime / 1000);
    if (logsAnswers) {
      const ms = Math.round(elapsedTime * 10) / 10;
      request.log.info({ method, path: loggedPath(request), status, ms }, 'answered');
    }
    done();
  });

  await describeApi(app, version);
  if (config.DOCS === 'on') await docsRoutes(app, connections);
  await app.register(async (routes) => {
    const typed = routes.withTypeProvider<ZodTypeProvider>();
    const methods = methodsByPath(routes);
    await routes.register(async (scope) => {
      const sessionScope = scope.withTypeProvider<ZodTypeProvider>();
      await sessions.register(sessionScope);
      const singleSignOn = singleSignOnOf(config);
      const deps = { sessions, directory, database: context.writes, accessLog, singleSignOn };
      loginRoute(sessionScope, deps);
      singleSignOnRoutes(sessionScope, deps);
      sessionRoutes(sessionScope, deps);
    });
    orderRoutes(typed, context);
    reportRoutes(typed, context);
    catalogueRoutes(typed, context);
    operationsRoutes(typed, context);
    auditRoutes(typed, context);
    openApiRoute(typed);
    const about = { name: 'Tally', version, openapi: '/openapi.json' };
    route(typed, 'GET /', {
      schema: { hide: true },
      handler: () => (config.DOCS === 'on' ? { ...about, docs: '/docs' } : about),
    });
    refuseOtherMethods(routes, methods);
  });
  return app;
}

/** The configuration has all of it, or nothing. */
function singleSignOnOf(config: ServerDeps['config']): SingleSignOn | undefined {
  const {
    OIDC_ISSUER: issuer,
    OIDC_CLIENT_ID: clientId,
    OIDC_CLIENT_SECRET: clientSecret,
    PUBLIC_URL: url,
  } = config;
  if (issuer === undefined || clientId === undefined || clientSecret === undefined || url === undefined)
    return undefined;
  const callbackUrl = `${url}/session/oidc/callback`;
  return new SingleSignOn({ issuer, clientId, clientSecret, callbackUrl, roleClaim: config.OIDC_ROLE_CLAIM });
}

/** Only what cannot hold the name or the address of somebody: where a parameter is no id, its route, and no query. */
function loggedPath(request: FastifyRequest): string {
  const { url: route = 'none' } = request.routeOptions;
  const path = pathOf(request);
  const params = Object.values((request.params ?? {}) as Record<string, string>);
  const isPlain = path.startsWith('/') && params.every((param) => /^\d{1,16}$/.test(param));
  return route !== 'none' && isPlain ? path : route;
}

/**
 * Requests that share a reading answer with the same value, one right after the other: only the first of them serializes
 * it. Nobody changes a value that was answered.
 */
function oncePerValue(serialize: (value: unknown) => string): (value: unknown) => string {
  let last: { value: unknown; text: string } | undefined;
  return (value) => {
    if (last === undefined || last.value !== value) last = { value, text: serialize(value) };
    return last.text;
  };
}

type Routes = Pick<FastifyInstance, 'addHook' | 'route'>;

/** The methods of every path whose route is added from now on. */
function methodsByPath(routes: Routes): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  routes.addHook('onRoute', ({ url, method }) => {
    methods.set(url, new Set([...(methods.get(url) ?? []), ...[method].flat()]));
  });
  return methods;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** A path with another method than its own is answered 405, and what it allows. */
function refuseOtherMethods(routes: Routes, methods: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, own] of methods) {
    const allow = [...own].join(', ');
    routes.route({
      url,
      method: METHODS.filter((method) => !own.has(method)),
      schema: { hide: true },
      config: { access: 'open' },
      // Before anything is made of its body.
      onRequest: (request, reply, done) => {
        void reply.header('allow', allow);
        const detail = `${url} does not take ${request.method}: it takes ${allow}.`;
        done(new Problem('method-not-allowed', detail));
      },
      handler: routeNotFound,
    });
  }
}
