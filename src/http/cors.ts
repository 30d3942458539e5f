import fastifyCors from '@fastify/cors';
import type { App } from './server';

/** How long a browser may remember what it was allowed, in seconds. */
const MAX_AGE_S = 600;

/** Lets the pages of these origins send requests, and read their answers. To others, nothing is said of it. */
export async function allowOrigins(app: App, allowed: readonly string[]): Promise<void> {
  const origins = new Set(allowed);
  // The plugin brings a route for paths that nobody has.
  app.addHook('onRoute', (options) => {
    if (options.method === 'OPTIONS' && options.path === '*') options.config = { access: 'open' };
  });
  await app.register(fastifyCors, {
    origin: (origin, tell) => tell(null, origin !== undefined && origins.has(origin) ? origin : false),
    methods: ['GET', 'POST', 'DELETE'],
    allowedHeaders: [
      'authorization',
      'content-type',
      'idempotency-key',
      'tally-min-position',
      'x-request-id',
    ],
    exposedHeaders: [
      'idempotent-replayed',
      'location',
      'ratelimit',
      'ratelimit-policy',
      'retry-after',
      'tally-position',
      'x-request-id',
    ],
    maxAge: MAX_AGE_S,
    // An OPTIONS that is not quite a preflight is answered like one, and not with an error in plain text.
    strictPreflight: false,
  });
}
