import { privateRedis } from './support/private-redis';
import { newPlace, seedCatalogue, startTally, until } from './support/tally';

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
      const generation = await own.client.get(`${place.prefix}:live:1`);
      await own.client.set(`{${place.prefix}:${generation}}:totals`, 'damaged');
      await tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
      await until(async () => {
        const { status, body } = await tally.get('/orders/reports/summary');
        return status === 200 && body.orders === before.orders + 1;
      });
      expect(await own.client.get(`${place.prefix}:live:1`)).not.toBe(generation);
    } finally {
      await tally.app.close();
    }
  } finally {
    await own.stop();
    await place.close();
  }
});

async function usedBytes(client: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
}
