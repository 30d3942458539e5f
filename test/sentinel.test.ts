import { startRedisNode, type RedisNode } from './support/redis-node';
import { newPlace, seedCatalogue, startTally, until } from './support/tally';

const NAME = 'shop';

test('a replica that Sentinel promotes without the last writes of the primary is caught up from the log', async () => {
  const nodes: RedisNode[] = [];
  const place = await newPlace();
  try {
    const primary = await startRedisNode(() => ["save ''", 'appendonly no']);
    nodes.push(primary);
    const replica = await startRedisNode(() => ["save ''", `replicaof 127.0.0.1 ${primary.port}`]);
    nodes.push(replica);
    await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'));
    const sentinel = await startRedisNode(
      () => [
        `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 1`,
        `sentinel down-after-milliseconds ${NAME} 1000`,
        `sentinel failover-timeout ${NAME} 3000`,
      ],
      true,
    );
    nodes.push(sentinel);
    await until(
      async () => ((await sentinel.client.call('SENTINEL', 'replicas', NAME)) as unknown[]).length === 1,
    );

    const tally = await startTally(place, {
      REDIS_SENTINELS: `127.0.0.1:${sentinel.port}`,
      REDIS_SENTINEL_NAME: NAME,
      REDIS_TIMEOUT_MS: '500',
      PROJECTION_WAIT_MS: '100',
    });
    try {
      await until(async () => (await tally.get('/health/ready')).status === 200);
      const { user, products } = await seedCatalogue(tally, ['1.00']);
      const order = async (): Promise<number> => {
        const { status, body } = await tally.post('/orders', {
          user_id: user,
          items: [{ product_id: products[0], quantity: 1 }],
        });
        expect(status).toBe(201);
        return body.position;
      };
      const before = (await order()) - 1;
      for (let n = 0; n < 9; n++) await order();
      await until(async () => (await tally.get('/orders/reports/summary')).body.orders === 10);
      await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'));

      // The replica hears nothing of these; then the primary dies with them.
      replica.signal('SIGSTOP');
      for (let n = 0; n < 10; n++) await order();
      await until(async () => (await tally.get('/orders/reports/summary')).body.orders === 20);
      primary.signal('SIGKILL');
      replica.signal('SIGCONT');

      // Commands go on; a report that is answered states a position and shows exactly the orders up to it.
      let last = await order();
      const wrong: unknown[] = [];
      await until(async () => {
        last = await order();
        const { status, headers, body } = await tally.get('/orders/reports/summary');
        const shown = Number(headers.get('tally-position')?.split(':')[0]) - before;
        if (status !== 503 && body.orders !== shown) wrong.push([status, body, shown]);
        return (await replica.client.info('replication')).includes('role:master');
      }, 60_000);
      expect(wrong).toEqual([]);
      const { body } = await until(async () => {
        const answer = await tally.get('/orders/reports/summary', { 'tally-min-position': String(last) });
        return answer.status === 200 ? answer : undefined;
      });
      expect(body.orders).toBe(last - before);
    } finally {
      await tally.app.close();
    }
  } finally {
    for (const node of nodes) await node.stop();
    await place.close();
  }
}, 120_000);
