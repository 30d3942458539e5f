import type { RowDataPacket } from 'mysql2/promise';
import type { ResultSetHeader } from 'mysql2/promise';
import { liveKeys, runRebuild, runRepair } from '../src/projections/resync/resync';
import { summaryOf, type StoredVerification } from '../src/projections/resync/verification-store';
import { verify } from '../src/projections/resync/verify';
import { openHere } from './support/stores';
import {
  caughtUp,
  dump,
  keysOf,
  liveGeneration,
  liveKeyOf,
  newPlace,
  rootOf,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
} from './support/tally';

let place: Place;
let stores: Awaited<ReturnType<typeof openHere>>;
let tally: Tally;
let user: number;
let products: number[];
let registering: Promise<unknown> | undefined;

beforeEach(async () => {
  // Verifies at start and when told to; the tests tell it.
  place = await newPlace({ VERIFY_INTERVAL_S: '0' });
  tally = await startTally(place);
  stores = await openHere(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  ({ user, products } = await seedCatalogue(tally, ['10.00', '2.50', '0.99']));
  for (let n = 0; n < 20; n++) await order(n);
  await caughtUp(place);
});

afterEach(async () => {
  await stores.close();
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
const repair = () => until(async () => runRepair(stores.resyncDeps));

/** What `tally verify` finds, which changes nothing. */
async function findDifferences(): Promise<
  Pick<StoredVerification, 'drift' | 'out_of_band' | 'orders' | 'findings'>
> {
  const keys = await liveKeys(stores.live);
  const found = await verify(stores.redis, stores.databases.reads, keys, {
    repair: false,
    progress: () => undefined,
    bringForward: async () => caughtUp(place),
  });
  return summaryOf(found, { reconciled: 0, startedAt: 0, finishedAt: 0 });
}

const REPORTS = ['summary', 'best-sellers', 'best-sellers?by=revenue', 'highest-spenders', 'sales'];

async function reports(): Promise<unknown[]> {
  return Promise.all(REPORTS.map(async (report) => (await tally.get(`/orders/reports/${report}`)).body));
}

test('a model without damage has no drift', async () => {
  const verification = await findDifferences();
  expect(verification).toMatchObject({ drift: 0, out_of_band: 0, orders: 20 });
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

test('no report is read from a model that lost its checkpoint', async () => {
  await place.redis.del(await liveKeyOf(place, 'checkpoint'));
  const answers = await Promise.all(REPORTS.map((report) => tally.get(`/orders/reports/${report}`)));
  for (const { status, body, headers } of answers) {
    if (status === 200) continue; // rebuilt already
    expect([status, body.type]).toEqual([503, 'urn:tally:problem:read-model-building']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  await until(async () => (await tally.get('/orders/reports/summary')).status === 200);
});

test('a checkpoint, or a total, that has become another type heals', async () => {
  const model = await dump(place);
  const checkpoint = await liveKeyOf(place, 'checkpoint');
  await place.redis.multi().del(checkpoint).rpush(checkpoint, 'x').exec();
  expect((await tally.get('/read-model')).body.status).toBe('building');
  await until(async () => (await liveKeyOf(place, 'checkpoint')) !== checkpoint);
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
  [
    'an unexpected member of a ranking',
    (p) => change(p, 'users:spent', (key) => p.redis.zadd(key, -5, '3999')),
  ],
  [
    'a member that reads as the number of a block',
    (p) => change(p, 'orders', (key) => p.redis.zadd(key, -5, '00')),
  ],
  ['an empty member', (p) => change(p, 'user:1:orders', (key) => p.redis.zadd(key, -5, ''))],
  ['a key of another type', (p) => change(p, 'products:sold', async (key) => p.redis.set(key, 'x'))],
  ['an order missing in the list', (p) => change(p, 'orders:0', (key) => p.redis.srem(key, 6))],
  ['an order that does not exist', (p) => change(p, 'order:4242', (key) => p.redis.hset(key, 'id', '4242'))],
  ['a period without sales', (p) => change(p, 'day:1999-01-01', (key) => p.redis.hset(key, 'orders', '1'))],
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

test.each(DAMAGES)('%s is found, named, and repaired without touching the rest', async (_, damage) => {
  const model = await dump(place);
  const key = await damage(place);
  const found = await findDifferences();
  expect(found.drift).toBe(1);
  expect(found.findings).toEqual([
    { key, expected: expect.any(String), found: expect.any(String), repaired: false },
  ]);
  expect(await dump(place)).not.toEqual(model);
  expect(await repair()).toMatchObject({ drift: 1, repaired: 1 });
  expect(await dump(place)).toEqual(model);
  expect((await findDifferences()).drift).toBe(0);
});

test('all damages at once are repaired by a restart', async () => {
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

test.each([
  ['totals', (key: string) => place.redis.hset(key, 'orders', 'abc'), 'summary'],
  ['totals', (key: string) => place.redis.hset(key, 'revenue', '1.5'), 'summary'],
  ['users:spent', (key: string) => place.redis.zadd(key, -5000, 'nobody'), 'highest-spenders'],
])(
  'a value in %s that is no number is refused as damage, and repaired at once',
  async (suffix, damage, report) => {
    const before = await reports();
    await damage(await liveKeyOf(place, suffix));
    const refused = await tally.get(`/orders/reports/${report}`);
    expect([refused.status, refused.body.type]).toEqual([503, 'urn:tally:problem:read-model-damaged']);
    await until(async () => (await tally.get(`/orders/reports/${report}`)).status === 200);
    expect(await reports()).toEqual(before);
  },
);

test.each(['live pointer', 'checkpoint', 'lease', 'verification'])(
  'a %s of another type, which would never expire, keeps nothing from healing',
  async (name) => {
    const { orders } = (await tally.get('/orders/reports/summary')).body;
    const root = await rootOf(place);
    const outside: Record<string, string> = {
      'live pointer': `${root}:live`,
      lease: `${root}:resync`,
      verification: `${root}:verification`,
    };
    const key = outside[name] ?? (await liveKeyOf(place, name));
    const totals = await liveKeyOf(place, 'totals');
    await place.redis.multi().del(key).rpush(key, 'a list').exec();
    // Something to repair, which needs the lease and the fencing lock.
    await place.redis.hincrby(totals, 'orders', 3);
    await until(async () => {
      const { drift, repaired } = await repair();
      return drift === repaired;
    });
    expect(await findDifferences()).toMatchObject({ drift: 0 });
    await order(1);
    await caughtUp(place);
    expect((await tally.get('/read-model')).status).toBe(200);
    expect((await tally.get('/orders/reports/summary')).body.orders).toBe(orders + 1);
  },
);

test('a user who registers while a verification is underway is not unexpected', async () => {
  const keys = await liveKeys(stores.live);
  let isRegistered = false;
  const found = await verify(stores.redis, stores.databases.reads, keys, {
    repair: false,
    // Told in phases: the snapshot is long taken when the unexpected keys are looked for.
    progress: ({ phase }) => {
      if (phase !== 'looking for unexpected keys') return;
      registering = tally.post('/users', { name: 'New', email: 'new@example.com' });
      isRegistered = true;
    },
    bringForward: async () => caughtUp(place),
  });
  await registering;
  expect(isRegistered).toBe(true);
  expect(found).toMatchObject({ drift: 0, findings: [] });
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
      expect((await findDifferences()).findings).toEqual([]);
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
  expect((await findDifferences()).drift).toBe(0);
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
  const before = await liveGeneration(place);
  try {
    await until(async () => runRebuild(stores.resyncDeps));
  } finally {
    writing = false;
    await traffic;
  }
  expect(await liveGeneration(place)).not.toBe(before);
  expect([...statuses]).toEqual([200]);
  await until(async () => {
    await order(1); // goes to whichever generation the service takes for live
    await caughtUp(place);
    return true;
  });
  expect((await findDifferences()).drift).toBe(0);

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

  test('an order written by another program is reconciled, once', async () => {
    const id = await insertOrder('10.00');
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 1 });
    expect(await repair()).toMatchObject({ drift: 0, out_of_band: 1, reconciled: 1 });
    await caughtUp(place);
    expect((await tally.get(`/orders/${id}`)).body).toMatchObject({ order_id: id, total_amount: '10.00' });
    expect((await tally.get('/orders/reports/sales?from=2020-02-01&to=2020-03-01')).body.units).toBe(4);
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 0 });
    expect(await stores.reconcile({ kind: 'order', id })).toBe('nothing-to-do');
  });

  test('two instances that reconcile the same order do it once', async () => {
    const id = await insertOrder('10.00');
    const other = await openHere(place);
    try {
      const each = [stores, stores, other, other].map(({ reconcile }) => reconcile({ kind: 'order', id }));
      const outcomes = await Promise.all(each);
      expect(outcomes.filter((outcome) => outcome === 'reconciled')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'nothing-to-do')).toEqual([
        'nothing-to-do',
        'nothing-to-do',
        'nothing-to-do',
      ]);
    } finally {
      await other.close();
    }
    await caughtUp(place);
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 0, orders: 21 });
  });

  test('an order that the log has never heard of can be deleted', async () => {
    const model = await dump(place);
    const id = await insertOrder('10.00');
    expect((await tally.delete(`/orders/${id}`)).status).toBe(200);
    await caughtUp(place);
    expect(await dump(place)).toEqual(model);
  });

  test('an order changed by another program is reconciled, or deleted as it was logged', async () => {
    const id = await order(1);
    const changed = await order(2);
    await place.sql.query('UPDATE order_items SET quantity = 50, unit_price = 1.00 WHERE order_id IN (?)', [
      [id, changed],
    ]);
    await place.sql.query('UPDATE orders SET total_amount = 100.00 WHERE id IN (?)', [[id, changed]]);
    expect((await tally.delete(`/orders/${id}`)).status).toBe(200);
    await caughtUp(place);
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 1 });
    await repair();
    await caughtUp(place);
    expect((await tally.get(`/orders/${changed}`)).body).toMatchObject({ total_amount: '100.00' });
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 0 });
  });

  test('an order deleted by another program disappears from the reports', async () => {
    const model = await dump(place);
    const gone = await order(3);
    await place.sql.query('DELETE FROM order_items WHERE order_id = ?', [gone]);
    await place.sql.query('DELETE FROM orders WHERE id = ?', [gone]);
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 1 });
    // A model that is rebuilt before the change is reconciled must not subtract what it never contained.
    await until(async () => runRebuild(stores.resyncDeps));
    await caughtUp(place);
    expect(await dump(place)).toEqual(model);
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 0 });
  });

  test('a product renamed, added or removed by another program is reconciled', async () => {
    await place.sql.query("UPDATE products SET name = 'Renamed' WHERE id = ?", [products[0]]);
    await place.sql.query(
      "INSERT INTO products (name, sku, price, created_at) VALUES ('Own', 'OWN', 1, NOW())",
    );
    const { products: spare } = await seedCatalogue(tally, ['1.00']);
    await place.sql.query('DELETE FROM products WHERE id = ?', [spare[0]]);
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 3 });
    expect(await repair()).toMatchObject({ reconciled: 3 });
    await caughtUp(place);
    const names = (await tally.get('/orders/reports/best-sellers')).body.map(
      (row: { name: string }) => row.name,
    );
    expect(names).toContain('Renamed');
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 0 });
  });

  test('a product renamed by another program has its name in the log before it is in a rebuilt model', async () => {
    await place.sql.query("UPDATE products SET name = 'Renamed by hand' WHERE id = ?", [products[0]]);
    await until(async () => runRebuild(stores.resyncDeps));
    await caughtUp(place);
    const [events] = await place.sql.query<RowDataPacket[]>(
      "SELECT payload FROM order_events WHERE type = 'ProductAdded' AND subject_id = ? ORDER BY position DESC LIMIT 1",
      [products[0]],
    );
    expect(JSON.parse(events[0]?.payload)[0]).toBe('Renamed by hand');
    expect(await findDifferences()).toMatchObject({ drift: 0, out_of_band: 0 });
  });
});

test('a user and a product of another program have their names in the reports soon after the first sale', async () => {
  const insert = async (text: string) => (await place.sql.query<ResultSetHeader>(text))[0].insertId;
  const max = await insert("INSERT INTO users (name, email) VALUES ('Max', 'max@example.com')");
  const pot = await insert("INSERT INTO products (name, sku, price) VALUES ('Pot', 'POT', 99.00)");
  const sold = await tally.post('/orders', { user_id: max, items: [{ product_id: pot, quantity: 9 }] });
  expect(sold.status).toBe(201);
  await until(async () => {
    const { body: spenders } = await tally.get('/orders/reports/highest-spenders?limit=1');
    const { body: sellers } = await tally.get('/orders/reports/best-sellers?by=revenue&limit=1');
    return spenders[0].name === 'Max' && sellers[0].name === 'Pot' && sellers[0].sku === 'POT';
  });
});
