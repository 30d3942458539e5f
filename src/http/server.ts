import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import fastJson, { type Schema } from 'fast-json-stringify';
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type RawServerDefault,
} from 'fastify';
import { jsonSchemaTransform, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Config } from '../config';
import { Problem } from '../domain/problems';
import type { HttpContext } from './context';
import { sendNotFound, sendProblem } from './problems';
import { catalogueRoutes } from './routes/catalogue';
import { operationsRoutes } from './routes/operations';
import { orderRoutes } from './routes/orders';
import { reportRoutes } from './routes/reports';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface ServerDeps {
  config: Pick<Config, 'BODY_LIMIT_BYTES'>;
  version: string;
  log: FastifyBaseLogger;
  context: HttpContext;
}

const REQUEST_ID = /^[\w.:-]{1,64}$/;
const REQUEST_TIMEOUT_MS = 30_000;
const DRAIN_CHECK_MS = 50;

/** The HTTP server with all its routes, not yet listening. */
export async function buildServer({ config, version, log, context }: ServerDeps): Promise<App> {
  const app = fastify({
    loggerInstance: log,
    // One line per request; the hook below writes it.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.BODY_LIMIT_BYTES,
    // They are refused by a problem document: see drainWhenClosing.
    return503OnClosing: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validatorCompiler);
  // The schemas of the answers are compiled: running zod on every answer would cost more than the report itself.
  app.setSerializerCompiler<z.ZodType>(({ schema }) =>
    // Two libraries' types of the same thing: a JSON schema.
    oncePerValue(fastJson(z.toJSONSchema(schema, { target: 'draft-7' }) as Schema)),
  );
  // Clients that always send a content type may send it with a DELETE, which has no body.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '' && request.method === 'DELETE') done(null, undefined);
    else void parseJson(request, String(body), done);
  });
  app.setErrorHandler<FastifyError | Problem>(sendProblem);
  app.setNotFoundHandler(sendNotFound);

  drainWhenClosing(app);
  // Hooks with callbacks: every request runs them, and a promise would cost more than what they do.
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  const logsAnswers = log.level === 'info' || log.level === 'debug' || log.level === 'trace';
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const { method } = request;
    const { statusCode: status, elapsedTime } = reply;
    context.metrics.requestSeconds.observe({ method, route, status }, elapsedTime / 1000);
    if (logsAnswers) {
      const ms = Math.round(elapsedTime * 10) / 10;
      request.log.info({ method, url: request.url, status, ms }, 'answered');
    }
    done();
  });

  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tally',
        version,
        description:
          'Orders whose reports are always right. Every answer of a command or a report has a `Tally-Position`; send it ' +
          'as `Tally-Min-Position`, and the answer contains at least that position. Errors are RFC 9457 problem documents.',
      },
    },
    transform: jsonSchemaTransform,
  });
  await app.register(fastifySwaggerUi, { routePrefix: '/docs' });
  await app.register((routes, _options, done) => {
    const typed = routes.withTypeProvider<ZodTypeProvider>();
    orderRoutes(typed, context);
    reportRoutes(typed, context);
    catalogueRoutes(typed, context);
    operationsRoutes(typed, context);
    typed.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
    done();
  });
  return app;
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

/**
 * While the server closes, complete requests in flight are answered, and further ones on the same connections refused. All
 * other connections are ended: Node itself would wait for one that is silent, or has sent half a request, for as long as
 * its client likes.
 */
function drainWhenClosing(app: App): void {
  const latest = new Map<Socket, IncomingMessage | undefined>();
  let isClosing = false;
  app.server.on('connection', (socket) => {
    latest.set(socket, undefined);
    socket.once('close', () => latest.delete(socket));
  });
  app.addHook('onRequest', (request, _reply, done) => {
    latest.set(request.raw.socket, request.raw);
    if (!isClosing) return done();
    const detail = 'The service is shutting down; nothing was changed.';
    return done(new Problem('overloaded', detail, { retryAfterSeconds: 1 }));
  });
  app.addHook('onResponse', (request, _reply, done) => {
    const { socket } = request.raw;
    if (latest.get(socket) === request.raw) latest.set(socket, undefined);
    done();
  });
  app.addHook('preClose', async () => {
    isClosing = true;
    const timer = setInterval(() => {
      for (const [socket, request] of latest) if (request?.complete !== true) socket.destroy();
    }, DRAIN_CHECK_MS);
    app.server.once('close', () => clearInterval(timer));
    timer.unref();
  });
}
