import type { RowDataPacket } from 'mysql2/promise';
import { runRebuild } from '../src/projections/resync/resync';
import { backUp, restore } from './support/backup';
import { openHere } from './support/stores';
import {
  caughtUp,
  dump,
  liveGeneration,
  liveKeyOf,
  newPlace,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
} from './support/tally';

let place: Place;
const running: Tally[] = [];

async function start(overrides: Record<string, string> = {}): Promise<Tally> {
  const tally = await startTally(place, overrides);
  running.push(tally);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  return tally;
}

beforeEach(async () => {
  place = await newPlace();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ app }) => app.close()));
  await place.close();
});

test('two instances on one database and one Redis count every order once, without knowing of each other', async () => {
  const instances = [await start(), await start()];
  const [one, two] = instances as [Tally, Tally];
  const { user, products } = await seedCatalogue(one, ['1.00', '2.50']);
  const clients = Array.from({ length: 8 }, async (_, n) => {
    const here = n % 2 === 0 ? one : two;
    const there = n % 2 === 0 ? two : one;
    let left = 0;
    for (let i = 0; i < 20; i++) {
      const items = [{ product_id: products[i % 2], quantity: 1 + (i % 3) }];
      const { status, body } = await here.post('/orders', { user_id: user, items });
      expect([status, body.projected]).toEqual([201, true]);
      left += 1;
      // What one instance acknowledged, the other shows to whoever asks for its position.
      const read = await there.get(`/orders/${body.order_id}`, {
        'tally-min-position': String(body.position),
      });
      expect([read.status, read.body.type ?? '', read.body.detail ?? '']).toEqual([200, '', '']);
      if (i % 4 === 0) {
        expect((await there.delete(`/orders/${body.order_id}`)).status).toBe(200);
        left -= 1;
      }
    }
    return left;
  });
  const expected = (await Promise.all(clients)).reduce((a, b) => a + b, 0);
  await caughtUp(place);
  const [rows] = await place.sql.query<RowDataPacket[]>(
    'SELECT COUNT(*) AS orders, (SELECT SUM(quantity) FROM order_items) AS units, SUM(total_amount) AS revenue FROM orders',
  );
  for (const instance of instances) {
    const { body } = await instance.get('/orders/reports/summary');
    expect(body).toMatchObject({
      orders: expected,
      units: Number(rows[0]?.units),
      revenue: rows[0]?.revenue,
    });
    expect(rows[0]?.orders).toBe(expected);
  }
});

test('an order that another program wrote while no service was running is in the reports soon after the start', async () => {
  const one = await start();
  const { user, products } = await seedCatalogue(one, ['1.00']);
  await Promise.all(running.splice(0).map(({ app }) => app.close()));
  // Written while no service was running.
  await place.sql.query('INSERT INTO orders (user_id, total_amount) VALUES (?, 1.00)', [user]);
  await place.sql.query('INSERT INTO order_items SELECT id, 1, ?, 1, 1.00 FROM orders', [products[0]]);
  const two = await start();
  const { body } = await until(async () => {
    const answer = await two.get('/orders/reports/summary');
    return answer.body.orders === 0 ? undefined : answer;
  });
  expect(body).toMatchObject({ orders: 1, units: 1, revenue: '1.00' });
});

test('another database behind the same Redis and prefix has a read model of its own, and so has the first one again', async () => {
  const other = await newPlace();
  const stop = () => Promise.all(running.splice(0).map(({ app }) => app.close()));
  try {
    const mine = await start();
    const { user, products } = await seedCatalogue(mine, ['1.00']);
    await mine.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
    await caughtUp(place);
    const [generation, model] = [await liveGeneration(place), await dump(place)];
    await stop();
    const swapped = await start({ DATABASE_URL: other.config.DATABASE_URL });
    expect((await swapped.get('/orders/reports/summary')).body.orders).toBe(0);
    expect((await swapped.get('/orders/reports/best-sellers')).body).toEqual([]);
    await stop();
    await start();
    expect([await liveGeneration(place), await dump(place)]).toEqual([generation, model]);
  } finally {
    await stop();
    await other.close();
  }
});

test.each([
  ['', false],
  [', also where its read model was lost in the same moment', true],
])(
  'another database that takes the place of the first one under a running service is followed%s',
  async (_, isLost) => {
    const other = await newPlace();
    try {
      // Looks seldom, so that it sees both at once.
      const tally = await start({ PROJECTION_POLL_MS: isLost ? '2000' : '100' });
      const { user, products } = await seedCatalogue(tally, ['1.00']);
      await tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
      await caughtUp(place);
      await (await startTally(other)).app.close(); // for its tables
      const checkpoint = await liveKeyOf(place, 'checkpoint');
      await restore(place.sql, await backUp(other.sql));
      if (isLost) await place.redis.del(checkpoint);
      await until(async () => (await tally.get('/health/ready')).status === 200);
      await until(async () => (await tally.get('/orders/reports/summary')).body.orders === 0);
      expect((await tally.get('/orders')).body.orders).toEqual([]);
    } finally {
      await Promise.all(running.splice(0).map(({ app }) => app.close()));
      await other.close();
    }
  },
);

test('a rebuild by hand gets over a MySQL that was restored while no service was running', async () => {
  const tally = await start();
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const items = [{ product_id: products[0], quantity: 1 }];
  await tally.post('/orders', { user_id: user, items });
  const backup = await backUp(place.sql);
  await tally.post('/orders', { user_id: user, items });
  await caughtUp(place);
  await Promise.all(running.splice(0).map(({ app }) => app.close()));
  await restore(place.sql, backup);
  const stores = await openHere(place);
  try {
    await runRebuild(stores.resyncDeps);
  } finally {
    await stores.close();
  }
  await caughtUp(place);
  expect((await dump(place)).totals).toEqual({ orders: '1', units: '1', revenue: '100' });
});

test('under constant load every instance follows to a new generation', async () => {
  const tally = await start();
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const stores = await openHere(place);
  let writing = true;
  const failures: unknown[] = [];
  const clients = Promise.all(
    [1, 2, 3, 4].map(async () => {
      while (writing) {
        const { body } = await tally.post('/orders', {
          user_id: user,
          items: [{ product_id: products[0], quantity: 1 }],
        });
        const read = await tally.get(`/orders/${body.order_id}`, {
          'tally-min-position': String(body.position),
        });
        if (read.status !== 200 || body.projected !== true) failures.push([body, read.status]);
      }
    }),
  );
  try {
    for (let round = 0; round < 3; round++) await until(async () => runRebuild(stores.resyncDeps));
  } finally {
    writing = false;
    await clients;
    await stores.close();
  }
  expect(failures).toEqual([]);
});

test('a checkpoint that was edited by hand is noticed', async () => {
  const tally = await start();
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  await tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
  await caughtUp(place);
  const generation = await liveGeneration(place);
  await place.redis.hset(await liveKeyOf(place, 'checkpoint'), 'at', `2:${'0'.repeat(32)}`);
  await until(async () => (await liveGeneration(place)) !== generation);
  await caughtUp(place);
  expect((await tally.get('/orders/reports/summary')).body).toMatchObject({ orders: 1, units: 1 });
});
