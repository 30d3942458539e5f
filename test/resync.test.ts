import type { RowDataPacket } from 'mysql2/promise';
import type { ResultSetHeader } from 'mysql2/promise';
import { createLogger, openCore, redisReady, type Core } from '../src/app';
import { adopt } from '../src/commands/reconcile';
import { collectGarbage } from '../src/projections/resync/generations';
import { runRebuild, runVerify } from '../src/projections/resync/supervisor';
import {
  caughtUp,
  dump,
  keysOf,
  liveKeyOf,
  newPlace,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
} from './support/tally';

let place: Place;
let core: Core;
let tally: Tally;
let user: number;
let products: number[];

beforeEach(async () => {
  // Verifies at start and when told to; the tests tell it.
  place = await newPlace({ VERIFY_INTERVAL_S: '0' });
  tally = await startTally(place);
  core = openCore(place.config, createLogger({ LOG_LEVEL: 'silent' }));
  await redisReady(core.redis.projector, 5000);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  ({ user, products } = await seedCatalogue(tally, ['10.00', '2.50', '0.99']));
  for (let n = 0; n < 20; n++) await order(n);
  await caughtUp(place);
});

afterEach(async () => {
  await core.close();
  await tally.app.close();
  await place.close();
});

async function order(n: number): Promise<number> {
  const items = [
    { product_id: products[n % 3], quantity: 1 + (n % 4) },
    { product_id: products[(n + 1) % 3], quantity: 2 },
  ];
  const { status, body } = await tally.post('/orders', { user_id: user, items });
  expect(status).toBe(201);
  return body.order_id;
}

/** Waits for the other instance's resync where one is running. */
const verify = () => until(async () => runVerify(core.resyncDeps, { repair: false }));
const repair = () => until(async () => runVerify(core.resyncDeps, { repair: true }));

const REPORTS = ['summary', 'best-sellers', 'best-sellers?by=revenue', 'highest-spenders', 'sales'];

async function reports(): Promise<unknown[]> {
  return Promise.all(REPORTS.map(async (report) => (await tally.get(`/orders/reports/${report}`)).body));
}

test('a model without damage has no drift', async () => {
  const verification = await verify();
  expect(verification).toMatchObject({ drift: 0, unadopted: 0, orders: 20 });
});

test('a Redis that lost everything is rebuilt by the running service', async () => {
  const before = await reports();
  const model = await dump(place);
  await place.flush();
  const during = await tally.get('/orders/reports/summary');
  expect([200, 503]).toContain(during.status);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  await caughtUp(place);
  expect(await reports()).toEqual(before);
  expect(await dump(place)).toEqual(model);
});

test('no report is read from a model that lost its applied', async () => {
  await place.redis.del(await liveKeyOf(place, 'applied'));
  const answers = await Promise.all(REPORTS.map((report) => tally.get(`/orders/reports/${report}`)));
  for (const { status, body, headers } of answers) {
    if (status === 200) continue; // rebuilt already
    expect([status, body.type]).toEqual([503, 'urn:tally:problem:read-model-building']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  await until(async () => (await tally.get('/orders/reports/summary')).status === 200);
});

test('an applied, or a total, that has become another type heals', async () => {
  const model = await dump(place);
  const applied = await liveKeyOf(place, 'applied');
  await place.redis.del(applied);
  await place.redis.rpush(applied, 'x');
  await until(async () => (await place.redis.get(await liveKeyOf(place, 'applied'))) !== null);
  await until(async () => (await tally.get('/orders/reports/summary')).status === 200);
  await place.redis.set(await liveKeyOf(place, 'totals'), 'x');
  const damaged = await tally.get('/orders/reports/summary');
  expect([damaged.status, damaged.body.type]).toEqual([503, 'urn:tally:problem:read-model-damaged']);
  await until(async () => (await tally.get('/orders/reports/summary')).status === 200);
  expect(await dump(place)).toEqual(model);
});

/** Ways to damage the model; each names the key that is to be found. */
const DAMAGES: [string, (place: Place) => Promise<string>][] = [
  ['an order hash deleted', (p) => change(p, 'order:3', (key) => p.redis.del(key))],
  ['an order hash changed', (p) => change(p, 'order:4', (key) => p.redis.hset(key, 'total_amount', '1.00'))],
  ['a field added to an order', (p) => change(p, 'order:5', (key) => p.redis.hset(key, 'note', 'x'))],
  ['a counter changed', (p) => change(p, 'product:1:sold', (key) => p.redis.incrby(key, 7))],
  ['a total changed', (p) => change(p, 'totals', (key) => p.redis.hincrby(key, 'orders', -1))],
  ['a ranking changed', (p) => change(p, 'products:revenue', (key) => p.redis.zincrby(key, 1, '01'))],
  ['a stranger in a ranking', (p) => change(p, 'users:spent', (key) => p.redis.zadd(key, -5, '3999'))],
  ['a key of another type', (p) => change(p, 'products:sold', async (key) => p.redis.set(key, 'x'))],
  ['an order missing in the list', (p) => change(p, 'orders:0', (key) => p.redis.srem(key, 6))],
  ['a ghost of an order', (p) => change(p, 'order:4242', (key) => p.redis.hset(key, 'id', '4242'))],
  ['a ghost of a period', (p) => change(p, 'day:1999-01-01', (key) => p.redis.hset(key, 'orders', '1'))],
  ['a key that nobody knows', (p) => change(p, 'nonsense', (key) => p.redis.set(key, 'x'))],
  ['a name changed', (p) => change(p, 'product:2', (key) => p.redis.hset(key, 'name', 'x'))],
];

async function change(
  place: Place,
  suffix: string,
  damage: (key: string) => Promise<unknown>,
): Promise<string> {
  const key = await liveKeyOf(place, suffix);
  await damage(key);
  return key;
}

test.each(DAMAGES)('%s is found, named, and mended without touching the rest', async (_, damage) => {
  const model = await dump(place);
  const key = await damage(place);
  const found = await verify();
  expect(found.drift).toBe(1);
  expect(found.findings).toEqual([
    { key, expected: expect.any(String), found: expect.any(String), repaired: false },
  ]);
  expect(await dump(place)).not.toEqual(model);
  expect(await repair()).toMatchObject({ drift: 1, repaired: 1 });
  expect(await dump(place)).toEqual(model);
  expect((await verify()).drift).toBe(0);
});

test('all damages at once are mended by a restart', async () => {
  const model = await dump(place);
  const before = await reports();
  await tally.app.close();
  for (const [, damage] of DAMAGES) await damage(place);
  tally = await startTally(place);
  await until(
    async () => (await tally.get('/read-model')).body.last_verification?.repaired >= DAMAGES.length,
  );
  expect(await dump(place)).toEqual(model);
  expect(await reports()).toEqual(before);
});

test.each(['live pointer', 'applied', 'work', 'fence', 'keeper', 'verification', 'writes'])(
  'a %s of another type, which would never expire, keeps nothing from healing',
  async (name) => {
    const { orders } = (await tally.get('/orders/reports/summary')).body;
    const outside: Record<string, string> = {
      'live pointer': `${place.prefix}:live:1`,
      work: `${place.prefix}:work:1`,
      verification: `${place.prefix}:verification:1`,
    };
    const key = outside[name] ?? (await liveKeyOf(place, name));
    const totals = await liveKeyOf(place, 'totals');
    await place.redis.multi().del(key).rpush(key, 'a list').exec();
    // Something to mend, which needs the work lock and the fence.
    await place.redis.hincrby(totals, 'orders', 3);
    await until(async () => {
      const { drift, repaired } = await repair();
      return drift === repaired;
    });
    expect(await verify()).toMatchObject({ drift: 0 });
    await order(1);
    await caughtUp(place);
    expect((await tally.get('/read-model')).status).toBe(200);
    expect((await tally.get('/orders/reports/summary')).body.orders).toBe(orders + 1);
  },
);

test('a user who registers while strangers are looked for is none', async () => {
  const scan = core.redis.projector.scan.bind(core.redis.projector);
  jest
    .spyOn(core.redis.projector, 'scan')
    .mockImplementationOnce(async (...args: Parameters<typeof scan>) => {
      await tally.post('/users', { name: 'New', email: 'new@example.com' });
      await caughtUp(place);
      return scan(...args);
    });
  expect(await verify()).toMatchObject({ drift: 0, findings: [] });
});

test('verification and repair are exact while orders are being written', async () => {
  let writing = true;
  const writers = Promise.all(
    [0, 1, 2].map(async (start) => {
      for (let n = start; writing; n += 3) {
        const id = await order(n);
        if (n % 2 === 0) await tally.delete(`/orders/${id}`);
      }
    }),
  );
  try {
    for (let round = 0; round < 5; round++) {
      expect((await verify()).findings).toEqual([]);
      await change(place, 'totals', (key) => place.redis.hincrby(key, 'orders', 3));
      await change(place, 'order:2', (key) => place.redis.del(key));
      const { findings, drift, repaired } = await repair();
      expect(findings.map((finding) => finding.key.split(':').at(-1))).toEqual(
        expect.arrayContaining(['2', 'totals']),
      );
      expect(repaired).toBe(drift);
    }
  } finally {
    writing = false;
    await writers;
  }
  await caughtUp(place);
  expect((await verify()).drift).toBe(0);
});

test('a rebuild beside live traffic loses nothing, and the old generation is taken away', async () => {
  let writing = true;
  const statuses = new Set<number>();
  const traffic = Promise.all([
    (async () => {
      for (let n = 0; writing; n++) await order(n);
    })(),
    (async () => {
      while (writing) statuses.add((await tally.get('/orders/reports/summary')).status);
    })(),
  ]);
  const before = await place.redis.get(`${place.prefix}:live:1`);
  try {
    await until(async () => runRebuild(core.resyncDeps));
  } finally {
    writing = false;
    await traffic;
  }
  expect(await place.redis.get(`${place.prefix}:live:1`)).not.toBe(before);
  expect([...statuses]).toEqual([200]);
  await until(async () => {
    await order(1); // goes to whichever generation the service takes for live
    await caughtUp(place);
    return true;
  });
  expect((await verify()).drift).toBe(0);

  await place.redis.del(`{${place.prefix}:${before}}:keeper`); // the grace period is over
  expect(await collectGarbage(core.redis.projector, place.prefix)).toEqual([before]);
  expect((await keysOf(place.redis, place.prefix)).filter((key) => key.includes(`:${before}}`))).toEqual([]);
});

describe('what other programs do in MySQL', () => {
  const insertOrder = async (total: string): Promise<number> => {
    const [{ insertId }] = await place.sql.query<ResultSetHeader>(
      'INSERT INTO orders (user_id, total_amount, created_at) VALUES (?, ?, ?)',
      [user, total, '2020-02-29 12:00:00.000'],
    );
    await place.sql.query('INSERT INTO order_items VALUES (?, 1, ?, 4, 2.50)', [insertId, products[1]]);
    return insertId;
  };

  test('an order written by another program is adopted, once', async () => {
    const id = await insertOrder('10.00');
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 1 });
    expect(await repair()).toMatchObject({ drift: 0, unadopted: 1, adopted: 1 });
    await caughtUp(place);
    expect((await tally.get(`/orders/${id}`)).body).toMatchObject({ order_id: id, total_amount: '10.00' });
    expect((await tally.get('/orders/reports/sales?from=2020-02-01&to=2020-03-01')).body.units).toBe(4);
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 0 });
    expect(
      await adopt(core.writer, core.databases.reads, { kind: 'order', id }, new Date().toISOString()),
    ).toBe(false);
  });

  test('two instances that adopt the same order do it once', async () => {
    const id = await insertOrder('10.00');
    const now = new Date().toISOString();
    const both = [1, 2, 3, 4].map(() => adopt(core.writer, core.databases.reads, { kind: 'order', id }, now));
    expect((await Promise.all(both)).filter(Boolean)).toHaveLength(1);
    await caughtUp(place);
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 0, orders: 21 });
  });

  test('an order that was never adopted can be deleted', async () => {
    const model = await dump(place);
    const id = await insertOrder('10.00');
    expect((await tally.delete(`/orders/${id}`)).status).toBe(200);
    await caughtUp(place);
    expect(await dump(place)).toEqual(model);
  });

  test('an order changed by another program is adopted, or deleted as it was logged', async () => {
    const id = await order(1);
    const changed = await order(2);
    await place.sql.query('UPDATE order_items SET quantity = 50, unit_price = 1.00 WHERE order_id IN (?)', [
      [id, changed],
    ]);
    await place.sql.query('UPDATE orders SET total_amount = 100.00 WHERE id IN (?)', [[id, changed]]);
    expect((await tally.delete(`/orders/${id}`)).status).toBe(200);
    await caughtUp(place);
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 1 });
    await repair();
    await caughtUp(place);
    expect((await tally.get(`/orders/${changed}`)).body).toMatchObject({ total_amount: '100.00' });
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 0 });
  });

  test('an order deleted by another program disappears from the reports', async () => {
    const [id, other] = [await order(1), await order(2)];
    const model = await dump(place);
    const gone = await order(3);
    for (const one of [gone]) {
      await place.sql.query('DELETE FROM order_items WHERE order_id = ?', [one]);
      await place.sql.query('DELETE FROM orders WHERE id = ?', [one]);
    }
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 1 });
    // A model that is rebuilt before the change is adopted must not subtract what it never contained.
    await until(async () => runRebuild(core.resyncDeps));
    await caughtUp(place);
    expect(await dump(place)).toEqual(model);
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 0 });
    expect([id, other]).toHaveLength(2);
  });

  test('a product renamed, added or removed by another program is adopted', async () => {
    await place.sql.query("UPDATE products SET name = 'Renamed' WHERE id = ?", [products[0]]);
    await place.sql.query(
      "INSERT INTO products (name, sku, price, created_at) VALUES ('Own', 'OWN', 1, NOW())",
    );
    const { products: spare } = await seedCatalogue(tally, ['1.00']);
    await place.sql.query('DELETE FROM products WHERE id = ?', [spare[0]]);
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 3 });
    expect(await repair()).toMatchObject({ adopted: 3 });
    await caughtUp(place);
    const names = (await tally.get('/orders/reports/best-sellers')).body.map(
      (row: { name: string }) => row.name,
    );
    expect(names).toContain('Renamed');
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 0 });
  });

  test('a product renamed by another program has its name in the log before it is in a rebuilt model', async () => {
    await place.sql.query("UPDATE products SET name = 'Renamed by hand' WHERE id = ?", [products[0]]);
    await until(async () => runRebuild(core.resyncDeps));
    await caughtUp(place);
    const [events] = await place.sql.query<RowDataPacket[]>(
      "SELECT payload FROM order_events WHERE type = 'ProductAdded' AND subject_id = ? ORDER BY position DESC LIMIT 1",
      [products[0]],
    );
    expect(JSON.parse(events[0]?.payload)).toMatchObject({ name: 'Renamed by hand' });
    expect(await verify()).toMatchObject({ drift: 0, unadopted: 0 });
  });
});
