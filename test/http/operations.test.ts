import { privateRedis } from '../support/private-redis';
import {
  caughtUp,
  newPlace,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
} from '../support/tally';

let place: Place;
let tally: Tally;

beforeAll(async () => {
  place = await newPlace();
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

test('/health-check and /health/live say ok', async () => {
  expect((await tally.get('/health-check')).body).toEqual({ status: 'ok' });
  expect((await tally.get('/health/live')).body).toEqual({ status: 'ok' });
});

test('/health/ready gives the reason for each part', async () => {
  const { body } = await tally.get('/health/ready');
  expect(body.status).toBe('ready');
  expect(Object.keys(body.checks).sort()).toEqual([
    'commands',
    'mysql',
    'read_model',
    'redis',
    'redis_eviction',
  ]);
  for (const check of Object.values(body.checks))
    expect(check).toEqual({ ok: true, detail: expect.any(String) });
});

test('/read-model says which generation is live and how far it is', async () => {
  await seedCatalogue(tally, []);
  await caughtUp(place);
  const { body } = await tally.get('/read-model');
  expect(body).toMatchObject({ status: 'live', lag_events: 0, lag_seconds: 0, stalled: null });
  expect(body.applied).toBe(body.head);
  expect(body.generation).toMatch(/^[0-9a-f]{8}$/);
});

test('/metrics counts orders, events and requests by route template', async () => {
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const { body } = await tally.post('/orders', {
    user_id: user,
    items: [{ product_id: products[0], quantity: 1 }],
  });
  await tally.delete(`/orders/${body.order_id}`);
  const { headers, body: text } = await tally.get('/metrics');
  expect(headers.get('content-type')).toContain('text/plain');
  expect(text).toMatch(/^tally_orders_created_total 1$/m);
  expect(text).toMatch(/^tally_orders_deleted_total 1$/m);
  expect(text).toMatch(/^tally_events_applied_total\{path="inline"\} [1-9]/m);
  expect(text).toMatch(
    /tally_http_request_duration_seconds_count\{method="DELETE",route="\/orders\/:id",status="200"\} 1/,
  );
  for (const name of [
    'tally_lag_events',
    'tally_lag_seconds',
    'tally_drift_found_total',
    'tally_drift_repaired_total',
  ]) {
    expect(text).toMatch(new RegExp(`^${name} 0$`, 'm'));
  }
  expect(text).toMatch(/^tally_mysql_pool_wait_seconds_count [1-9]/m);
  expect(text).toMatch(/^tally_commands_per_transaction_count [1-9]/m);
});

test('/openapi.json describes every route, and /docs shows it', async () => {
  const { body } = await tally.get('/openapi.json');
  expect(body.openapi).toBe('3.1.0');
  const routes = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.sort()).toEqual(
    [
      'DELETE /orders/{id}',
      'DELETE /products/{id}',
      'DELETE /users/{id}',
      'GET /audit',
      'GET /health-check',
      'GET /health/live',
      'GET /health/ready',
      'GET /metrics',
      'GET /orders',
      'GET /orders/reports/best-sellers',
      'GET /orders/reports/highest-spenders',
      'GET /orders/reports/sales',
      'GET /orders/reports/summary',
      'GET /orders/{id}',
      'GET /products',
      'GET /products/{id}',
      'GET /products/{id}/sales',
      'DELETE /session',
      'DELETE /sessions/{id}',
      'GET /read-model',
      'GET /session',
      'GET /sessions',
      'POST /session',
      'GET /users',
      'GET /users/{id}',
      'POST /orders',
      'POST /products',
      'POST /users',
      'POST /users/{id}/erasure',
    ].sort(),
  );
  const create = body.paths['/orders'].post;
  expect(create.requestBody.content['application/json'].example).toEqual({
    user_id: 1,
    items: [{ product_id: 1, quantity: 2 }],
  });
  expect(Object.keys(create.responses).sort()).toEqual([
    '201',
    '400',
    '401',
    '403',
    '408',
    '413',
    '415',
    '422',
    '429',
    '431',
    '500',
    '503',
  ]);
  expect(Object.keys(create.responses['201'].headers)).toEqual(['Tally-Position', 'Idempotent-Replayed']);
  const summary = body.paths['/orders/reports/summary'].get;
  expect(summary.parameters[0]).toMatchObject({ in: 'header', name: 'tally-min-position', required: false });
  expect(Object.keys(summary.responses['200'].headers)).toEqual(['Tally-Position']);
  const docs = await tally.get('/docs');
  expect([docs.status, docs.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('text/html'),
  ]);
});

test('an eviction policy that can touch the read model makes the service not ready', async () => {
  const own = await privateRedis();
  const other = await startTally(place, { REDIS_URL: own.url });
  try {
    await until(async () => (await other.get('/health/ready')).status === 200);
    await own.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const { status, body } = await other.get('/health/ready');
    expect(status).toBe(503);
    expect(body.status).toBe('not-ready');
    expect(body.checks.redis_eviction).toEqual({
      ok: false,
      detail: expect.stringContaining('set noeviction or volatile-lru'),
    });
  } finally {
    await other.app.close();
    await own.stop();
  }
});
