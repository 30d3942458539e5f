import { privateRedis } from './support/private-redis';
import { liveGeneration, liveKeyOf, newPlace, seedCatalogue, startTally, until } from './support/tally';

test('a lost model is rebuilt where memory does not hold two copies', async () => {
  const place = await newPlace();
  const own = await privateRedis();
  try {
    const tally = await startTally(place, { REDIS_URL: own.url });
    try {
      await until(async () => (await tally.get('/health/ready')).status === 200);
      const { user, products } = await seedCatalogue(
        tally,
        Array.from({ length: 100 }, () => '1.00'),
      );
      const empty = await usedBytes(own.client);
      const items = products.map((product_id) => ({ product_id, quantity: 1 }));
      for (let n = 0; n < 300; n++) await tally.post('/orders', { user_id: user, items });
      const before = (await tally.get('/orders/reports/summary')).body;
      const full = await usedBytes(own.client);
      // Room for the model and some work, not for two.
      await own.client.config('SET', 'maxmemory', String(Math.round(full + (full - empty) / 2)));
      const there = { ...place, redis: own.client };
      const generation = await liveGeneration(there);
      await own.client.set(await liveKeyOf(there, 'totals'), 'damaged');
      await tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
      await until(async () => {
        const { status, body } = await tally.get('/orders/reports/summary');
        return status === 200 && body.orders === before.orders + 1;
      });
      expect(await liveGeneration(there)).not.toBe(generation);
    } finally {
      await tally.app.close();
    }
  } finally {
    await own.stop();
    await place.close();
  }
});

test('a model that was lost while memory was short is back soon after there is room again', async () => {
  const place = await newPlace({ PROJECTION_WAIT_MS: '100' });
  const own = await privateRedis();
  const lines: string[] = [];
  const logStream = { write: (line: string) => void lines.push(line) };
  const tally = await startTally(place, { REDIS_URL: own.url, LOG_LEVEL: 'error' }, logStream);
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const { user, products } = await seedCatalogue(tally, ['1.00']);
    await tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
    await own.client.config('SET', 'maxmemory', '1');
    await own.client.flushall();
    // More failures in a row than a rebuild that is at fault itself would be granted without a long pause.
    await until(() => lines.filter((line) => line.includes('a rebuild failed')).length >= 4);
    await own.client.config('SET', 'maxmemory', '0');
    const startedAt = performance.now();
    await until(async () => (await tally.get('/orders/reports/summary')).body.orders === 1);
    process.stdout.write(`back ${Math.round(performance.now() - startedAt)} ms after there was room\n`);
    await until(async () => (await tally.get('/health/ready')).status === 200);
    expect((await tally.get('/orders/reports/summary')).body.orders).toBe(1);
  } finally {
    await tally.app.close();
    await own.stop();
    await place.close();
  }
});

test('reports are read while memory is full, and the projection goes on when there is room again', async () => {
  const place = await newPlace({ PROJECTION_WAIT_MS: '200' });
  const own = await privateRedis();
  const tally = await startTally(place, { REDIS_URL: own.url });
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const { user, products } = await seedCatalogue(tally, ['1.00']);
    const order = { user_id: user, items: [{ product_id: products[0], quantity: 1 }] };
    const first = await tally.post('/orders', order);
    await own.client.config('SET', 'maxmemory', '1');
    const second = await tally.post('/orders', order);
    expect([second.status, second.body.projected]).toEqual([201, false]);
    const reads = [
      `/orders/${first.body.order_id}`,
      '/orders',
      '/orders/reports/summary',
      '/orders/reports/best-sellers',
      '/orders/reports/best-sellers?from=2026-01-10&to=2027-02-03',
      '/orders/reports/highest-spenders',
      '/orders/reports/sales?from=2026-01-01&to=2027-01-01&interval=month',
    ];
    for (const path of reads) {
      const { status, headers } = await tally.get(path);
      expect([path, status, headers.get('tally-position')]).toEqual([
        path,
        200,
        first.headers.get('tally-position'),
      ]);
    }
    await own.client.config('SET', 'maxmemory', '0');
    await until(async () => (await tally.get('/orders/reports/summary')).body.orders === 2);
  } finally {
    await tally.app.close();
    await own.stop();
    await place.close();
  }
});

async function usedBytes(client: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
}
