import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createLogger, openCore, redisReady } from '../src/app';
import { runRebuild } from '../src/projections/resync/supervisor';
import type { RowDataPacket } from 'mysql2/promise';
import { buildService } from '../torture/build';
import { freePort } from '../torture/proxy';
import { runTally, Service } from '../torture/service';
import {
  caughtUp,
  dump,
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
      expect(read.status).toBe(200);
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

test('an order that another program wrote while no service was running is adopted at start', async () => {
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

test('a Redis that belongs to another database is noticed and rebuilt', async () => {
  const other = await newPlace();
  try {
    const mine = await start();
    const { user, products } = await seedCatalogue(mine, ['1.00']);
    await mine.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
    await Promise.all(running.splice(0).map(({ app }) => app.close()));
    // The other database behind the same keys: its log is empty, the model is at a later position.
    const swapped = await start({ DATABASE_URL: other.config.DATABASE_URL });
    await until(async () => {
      const { status, body } = await swapped.get('/orders/reports/summary');
      return status === 200 && body.orders === 0;
    });
    expect((await swapped.get('/orders/reports/best-sellers')).body).toEqual([]);
  } finally {
    await Promise.all(running.splice(0).map(({ app }) => app.close()));
    await other.close();
  }
});

test('a MySQL restored from a backup under a running service is noticed and the model rebuilt', async () => {
  const tally = await start();
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const items = [{ product_id: products[0], quantity: 1 }];
  await tally.post('/orders', { user_id: user, items });
  await caughtUp(place);
  const backup = await backUp();
  const lost = await tally.post('/orders', {
    user_id: user,
    items: [{ product_id: products[0], quantity: 100 }],
  });
  await caughtUp(place);
  await restore(backup);
  // The log goes on from the backup: the same positions are other events now.
  const next = await tally.post('/orders', { user_id: user, items });
  expect(next.body.position).toBe(lost.body.position);
  await until(async () => {
    const { status, body } = await tally.get('/orders/reports/summary');
    return status === 200 && body.units === 2;
  });
  await until(async () => (await tally.get('/health/ready')).status === 200);
  await caughtUp(place);
  expect((await dump(place)).totals).toEqual({ orders: '2', units: '2', revenue: '200' });
});

test('a rebuild by hand gets over a MySQL that was restored while no service was running', async () => {
  const tally = await start();
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const items = [{ product_id: products[0], quantity: 1 }];
  await tally.post('/orders', { user_id: user, items });
  const backup = await backUp();
  await tally.post('/orders', { user_id: user, items });
  await caughtUp(place);
  await Promise.all(running.splice(0).map(({ app }) => app.close()));
  await restore(backup);
  const core = openCore(place.config, createLogger({ LOG_LEVEL: 'silent' }));
  try {
    await redisReady(core.redis.projector, 5000);
    await runRebuild(core.resyncDeps);
  } finally {
    await core.close();
  }
  await caughtUp(place);
  expect((await dump(place)).totals).toEqual({ orders: '1', units: '1', revenue: '100' });
});

test('under constant load every instance follows to a new generation', async () => {
  const tally = await start();
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const core = openCore(place.config, createLogger({ LOG_LEVEL: 'silent' }));
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
    await redisReady(core.redis.projector, 5000);
    for (let round = 0; round < 3; round++) await until(async () => runRebuild(core.resyncDeps));
  } finally {
    writing = false;
    await clients;
    await core.close();
  }
  expect(failures).toEqual([]);
});

const TABLES = ['users', 'products', 'orders', 'order_items', 'order_events', 'event_head'];

async function backUp(): Promise<Map<string, RowDataPacket[]>> {
  const backup = new Map<string, RowDataPacket[]>();
  for (const table of TABLES)
    backup.set(table, (await place.sql.query<RowDataPacket[]>(`SELECT * FROM ${table}`))[0]);
  return backup;
}

async function restore(backup: Map<string, RowDataPacket[]>): Promise<void> {
  const connection = await place.sql.getConnection();
  try {
    await connection.query('START TRANSACTION');
    for (const table of [...TABLES].reverse()) await connection.query(`DELETE FROM ${table}`);
    for (const table of TABLES) {
      const rows = backup.get(table) ?? [];
      if (rows.length > 0)
        await connection.query(`INSERT INTO ${table} VALUES ?`, [rows.map((row) => Object.values(row))]);
    }
    await connection.query('COMMIT');
  } finally {
    connection.release();
  }
}

test('an applied that was edited by hand is noticed', async () => {
  const tally = await start();
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  await tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
  await caughtUp(place);
  const generation = await place.redis.get(`${place.prefix}:live:1`);
  const redis = new Redis(place.config.REDIS_URL);
  await redis.set(`{${place.prefix}:${generation}}:applied`, `2:${'0'.repeat(32)}`);
  redis.disconnect();
  await until(async () => (await place.redis.get(`${place.prefix}:live:1`)) !== generation);
  await caughtUp(place);
  expect((await tally.get('/orders/reports/summary')).body).toMatchObject({ orders: 1, units: 1 });
});

test('a release with another read model runs beside the old one, is rolled back, and takes over', async () => {
  const old = await start();
  const { user, products } = await seedCatalogue(old, ['1.00']);
  const order = { user_id: user, items: [{ product_id: products[0], quantity: 1 }] };
  for (let n = 0; n < 5; n++) await old.post('/orders', order);

  const build = await mkdtemp(join(tmpdir(), `tally-${process.pid}-`));
  await buildService(build, [
    { file: 'read-model/keys.ts', find: 'const MODEL_VERSION = 1;', replace: 'const MODEL_VERSION = 2;' },
    {
      file: 'projections/project.ts',
      find: 'fields: { name: event.name } }]',
      replace: "fields: { name: event.name, release: '2' } }]",
    },
  ]);
  const port = await freePort();
  const env = { ...process.env, ...place.env, PORT: String(port) };
  const listener = { logged() {}, died() {} };
  const release = new Service(0, `http://127.0.0.1:${port}`, build, env, listener);
  const ordersOf = async (url: string) => {
    const response = await fetch(`${url}/orders/reports/summary`).catch(() => undefined);
    return ((await response?.json()) as { orders?: number } | undefined)?.orders;
  };
  const pointer = (version: number) => place.redis.get(`${place.prefix}:live:${version}`);
  try {
    release.start();
    await until(async () => (await ordersOf(release.url)) === 5);
    await old.post('/orders', order);
    await until(async () => (await ordersOf(release.url)) === 6);
    expect((await old.get('/orders/reports/summary')).body.orders).toBe(6);
    const [one, two] = [await pointer(1), await pointer(2)];
    expect(two).not.toBe(one);
    expect(await place.redis.hgetall(`{${place.prefix}:${one}}:user:${user}`)).toEqual({ name: 'Ada' });
    expect(await place.redis.hget(`{${place.prefix}:${two}}:user:${user}`, 'release')).toBe('2');

    await release.kill(); // rolled back: the old one has missed nothing
    await old.post('/orders', order);
    expect((await old.get('/orders/reports/summary')).body.orders).toBe(7);
    release.start();
    await until(async () => (await ordersOf(release.url)) === 7);

    // The new release cleans up, but not what an old instance still serves.
    await until(async () => (await runTally(build, env, ['repair'], 30_000).done).code === 0);
    expect(await pointer(1)).toBe(one);
    await old.app.close();
    running.splice(0);
    // As if it had been an hour ago; and the minute after it was built is over.
    await place.redis.set(`${place.prefix}:serving:1`, Math.floor(Date.now() / 1000) - 3700);
    await place.redis.del(`{${place.prefix}:${one}}:keeper`);
    await until(async () => (await runTally(build, env, ['repair'], 30_000).done).code === 0);
    expect(await pointer(1)).toBeNull();
    expect(await place.redis.keys(`{${place.prefix}:${one}}:*`)).toEqual([]);
    expect(await ordersOf(release.url)).toBe(7);
  } finally {
    await release.kill();
    await rm(build, { recursive: true, force: true });
  }
});
