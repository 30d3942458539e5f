import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Connections } from './connections';
import { describeProblems, exampleOf, PROBLEM_JSON, problemsIn } from './problems';
import { route } from './route';
import { SESSION_COOKIE } from './sessions';
import { DOCS_HEADERS } from './security-headers';
import type { App } from './server';

const DESCRIPTION =
  'Orders whose reports are always right. Every answer of a command or a report has a `Tally-Position`; send it ' +
  'as `Tally-Min-Position`, and the answer contains at least that position. Errors are RFC 9457 problem documents.';

/** Makes the OpenAPI document of the routes that are added from now on. */
export async function describeApi(app: App, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tally',
        version,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      tags: [
        { name: 'orders', description: 'Created and deleted in MySQL, read from Redis' },
        { name: 'reports', description: 'From Redis alone' },
        { name: 'catalogue', description: 'Products and users, in MySQL' },
        { name: 'sessions', description: 'People who log in' },
        { name: 'operations', description: 'For operators and their machines' },
      ],
      security: [],
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'A key made by `tally key create`' },
          session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE, description: 'Of `POST /session`' },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: describeAnswers,
  });
}

/** The document as JSON, made once. */
export function openApiRoute(app: App): void {
  let document: Buffer | undefined;
  route(app, 'GET /openapi.json', {
    schema: { hide: true },
    handler: (_request, reply) => {
      document ??= Buffer.from(JSON.stringify(app.swagger()));
      return reply.type('application/json').send(document);
    },
  });
}

/** `/docs`: the document for people. */
export async function docsRoutes(app: App, connections: Connections): Promise<void> {
  await app.register(async (docs) => {
    connections.closeFiles(docs);
    docs.addHook('onRequest', (_request, reply, done) => {
      void reply.headers(DOCS_HEADERS);
      done();
    });
    docs.addHook('onRoute', (options) => void (options.config = { ...options.config, access: 'docs' }));
    await docs.register(fastifySwaggerUi, { routePrefix: '/docs' });
  });
}

/** Adds to every response which problems it may have, with examples. */
function describeAnswers(document: Parameters<typeof jsonSchemaTransformObject>[0]) {
  const described = jsonSchemaTransformObject(document);
  if (!('components' in described)) return described;
  // Problems are only ever answered: what the library makes for sending one is left out.
  delete described.components?.schemas?.ProblemInput;
  const examples: Record<string, ReturnType<typeof exampleOf>> = {};
  for (const methods of Object.values(described.paths ?? {})) {
    for (const operation of [methods?.get, methods?.post, methods?.delete]) {
      for (const [status, response] of Object.entries(operation?.responses ?? {})) {
        if (!('content' in response) || response.content?.[PROBLEM_JSON] === undefined) continue;
        const slugs = problemsIn(response.description);
        for (const slug of slugs) examples[slug] = exampleOf(slug);
        response.content[PROBLEM_JSON] = describeProblems(slugs, Number(status));
      }
    }
  }
  Object.assign(described.components ?? {}, { examples });
  return described;
}
