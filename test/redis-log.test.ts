import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startableRedis } from '../torture/servers';
import { liveGeneration, newPlace, seedCatalogue, startTally, until } from './support/tally';

/**
 * Redis 7.0, started with an append-only file that was cut within its last transaction, drops that transaction, but
 * leaves its first half in the file: the next start carries it out. (Found by the torture.)
 */
test.each([
  ['within EXEC', 7],
  ['within the operations', 200],
])('half a transaction that Redis replays at its second start is noticed: cut %s', async (_, bytes) => {
  const runDir = await mkdtemp(join(tmpdir(), `tally-${process.pid}-`));
  const server = startableRedis(runDir);
  const url = await server.start();
  const redis = new Redis(url);
  redis.on('error', () => undefined); // it is killed
  const place = await newPlace({ REDIS_URL: url });
  const tally = await startTally(place);
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const { user, products } = await seedCatalogue(tally, ['1.00']);
    const order = () =>
      tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
    const summary = async (orders: number) =>
      until(async () => {
        const { status, body } = await tally.get('/orders/reports/summary');
        // Never anything else than the truth, only later.
        if (status === 200) expect(body.orders).toBeLessThanOrEqual(orders);
        return status === 200 && body.orders === orders ? body : undefined;
      });
    await order();
    await order();
    await summary(2);
    const there = { ...place, redis };
    const generation = await liveGeneration(there);

    await server.kill();
    await server.cutLog(bytes);
    await server.start();
    await summary(2); // the dropped one is applied again, behind its own first half
    expect(await liveGeneration(there)).toBe(generation);

    await server.kill();
    await server.start();
    await summary(2);
    expect(await liveGeneration(there)).not.toBe(generation);
  } finally {
    await tally.app.close();
    redis.disconnect();
    await place.close();
    await server.stop();
    await rm(runDir, { recursive: true, force: true });
  }
});
