import type { RowDataPacket } from 'mysql2/promise';
import { pino } from 'pino';
import { connectRedis, redisReady } from '../src/redis/client';
import { proxyDatabase, proxyRedis, type Proxy } from '../torture/proxy';
import {
  newPlace,
  seedCatalogue,
  startTally,
  until,
  caughtUp,
  holdFence,
  type Place,
  type Tally,
} from './support/tally';

let place: Place;
let tally: Tally;
let mysql: Proxy;
let redis: Proxy;
let user: number;
let products: number[];

beforeAll(async () => {
  place = await newPlace();
  const database = await proxyDatabase(place.config.DATABASE_URL);
  const cache = await proxyRedis(place.config.REDIS_URL);
  mysql = database.proxy;
  redis = cache.proxy;
  tally = await startTally(place, {
    DATABASE_URL: database.url,
    REDIS_URL: cache.url,
    MYSQL_TIMEOUT_MS: '1000',
    REDIS_TIMEOUT_MS: '1000',
    PROJECTION_WAIT_MS: '300',
    READ_WAIT_MS: '300',
  });
  await until(async () => (await tally.get('/health/ready')).status === 200);
  ({ user, products } = await seedCatalogue(tally, ['10.00']));
});

afterAll(async () => {
  await tally.app.close();
  await mysql.close();
  await redis.close();
  await place.close();
});

const order = (headers = {}) =>
  tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] }, headers);

/** The packet that ends a write transaction; READ COMMITTED is said elsewhere. */
const isCommit = (request: Buffer) => request.includes(';COMMIT');

const READS = [
  '/orders',
  `/orders?user_id=1`,
  '/orders/reports/summary',
  '/orders/reports/best-sellers',
  '/orders/reports/best-sellers?by=revenue&from=2026-01-10&to=2027-02-03',
  '/orders/reports/highest-spenders',
  '/orders/reports/sales?from=2026-01-01&to=2027-01-01&interval=month',
];

test('with MySQL stopped every order and report is read all the same, and commands are refused with 503', async () => {
  const { body: created } = await order();
  const paths = [...READS, `/orders/${created.order_id}`];
  const before = await Promise.all(paths.map((path) => tally.get(path)));
  await mysql.cut();
  try {
    const during = await Promise.all(paths.map((path) => tally.get(path)));
    expect(during.map(({ status, body }) => ({ status, body }))).toEqual(
      before.map(({ body }) => ({ status: 200, body })),
    );
    const refused = await order();
    expect([refused.status, refused.body.type]).toEqual([503, 'urn:tally:problem:mysql-unreachable']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await tally.get('/products')).body.type).toBe('urn:tally:problem:mysql-unreachable');
    const ready = await tally.get('/health/ready');
    expect([ready.status, ready.body.checks.mysql.ok, ready.body.checks.redis.ok]).toEqual([
      503,
      false,
      true,
    ]);
  } finally {
    await mysql.restore();
  }
  expect((await until(async () => (await order()).status === 201)) && true).toBe(true);
});

test('with Redis stopped commands succeed, and the reports follow when it is back', async () => {
  const before = (await tally.get('/orders/reports/summary')).body.orders;
  await redis.cut();
  let position: number;
  try {
    const created = await order();
    expect([created.status, created.body.projected]).toEqual([201, false]);
    position = created.body.position;
    for (const path of READS) {
      const { status, body } = await tally.get(path);
      expect([status, body.type]).toEqual([503, 'urn:tally:problem:read-model-unreachable']);
    }
    expect((await tally.get('/read-model')).body).toMatchObject({ status: 'unreachable', lag_events: 1 });
  } finally {
    await redis.restore();
  }
  const { body } = await until(async () => {
    const answer = await tally.get('/orders/reports/summary', { 'tally-min-position': String(position) });
    return answer.status === 200 ? answer : undefined;
  });
  expect(body.orders).toBe(before + 1);
});

test('503: a position that the read model does not reach in time', async () => {
  const release = await holdFence(place, 4_000);
  try {
    const created = await order();
    expect([created.status, created.body.projected]).toEqual([201, false]);
    const behind = await tally.get('/orders/reports/summary', {
      'tally-min-position': String(created.body.position),
    });
    expect([behind.status, behind.body.type]).toEqual([503, 'urn:tally:problem:read-model-behind']);
  } finally {
    await release();
  }
  await caughtUp(place);
});

test('a COMMIT whose answer is lost is found in the log, and not done twice', async () => {
  const before = (await tally.get('/orders/reports/summary')).body.orders;
  let lost = 0;
  mysql.loseAnswers((request) => isCommit(request) && lost++ === 0);
  const created = await order();
  mysql.loseAnswers(undefined);
  expect(lost).toBeGreaterThan(0);
  expect(created.status).toBe(201);
  await caughtUp(place);
  expect((await tally.get('/orders/reports/summary')).body.orders).toBe(before + 1);
});

test('an apply script whose answer is lost is not applied twice', async () => {
  const before = (await tally.get('/orders/reports/summary')).body.units;
  let lost = 0;
  redis.loseAnswers((request) => request.includes('"count"') && lost++ === 0);
  const created = await order();
  redis.loseAnswers(undefined);
  expect(lost).toBeGreaterThan(0);
  expect(created.status).toBe(201);
  await caughtUp(place);
  await until(async () => (await tally.get('/orders/reports/summary')).body.units === before + 1);
});

test('outcome-unknown where MySQL stays away after a COMMIT, and the key tells the outcome later', async () => {
  const key = { 'idempotency-key': 'lost-1' };
  const count = async () => {
    const [rows] = await place.sql.query<RowDataPacket[]>('SELECT COUNT(*) AS orders FROM orders');
    return Number(rows[0]?.orders);
  };
  const before = await count();
  mysql.loseAnswers((request) => {
    if (!isCommit(request)) return false;
    void mysql.cut();
    return true;
  });
  const unknown = await order(key);
  mysql.loseAnswers(undefined);
  expect([unknown.status, unknown.body.type]).toEqual([503, 'urn:tally:problem:outcome-unknown']);
  await mysql.restore();
  // MySQL may have noticed that its client was gone before it came to the COMMIT: then this is the first time.
  await until(async () => (await order(key)).status === 201);
  expect(await count()).toBe(before + 1);
});

test('a MySQL that is frozen is answered with 503 within a bound, reports go on, and commands recover by themselves', async () => {
  mysql.freeze();
  try {
    const answers = await Promise.all(Array.from({ length: 20 }, () => order()));
    for (const { status, body } of answers) {
      expect(status).toBe(503);
      expect([
        'urn:tally:problem:mysql-unreachable',
        'urn:tally:problem:outcome-unknown',
        'urn:tally:problem:overloaded',
      ]).toContain(body.type);
    }
    expect((await tally.get('/orders/reports/summary')).status).toBe(200);
    expect((await tally.get('/products')).status).toBe(503);
  } finally {
    mysql.thaw();
  }
  await until(async () => (await order()).status === 201);
  await caughtUp(place);
  await expectReportsToBeRight();
});

test('with MySQL frozen a read that asks for a position waits no longer than it may', async () => {
  const { body, headers } = await order();
  await caughtUp(place);
  const at = headers.get('tally-position') ?? '';
  mysql.freeze();
  try {
    // What this process has seen itself needs no word of MySQL.
    expect((await tally.get('/orders/reports/summary', { 'tally-min-position': at })).status).toBe(200);
    const startedAt = performance.now();
    const beyond = await tally.get('/orders/reports/summary', {
      'tally-min-position': String(body.position + 1),
    });
    expect([beyond.status, beyond.body.type]).toEqual([503, 'urn:tally:problem:read-model-behind']);
    // READ_WAIT_MS is 300, MYSQL_TIMEOUT_MS is 1000: only the first bounds a read.
    expect(performance.now() - startedAt).toBeLessThan(1000);
  } finally {
    mysql.thaw();
  }
  await until(async () => (await order()).status === 201);
});

test('a Redis that is frozen delays no command for longer than it may, and reports are refused within a bound', async () => {
  redis.freeze();
  try {
    const created = await Promise.all(Array.from({ length: 5 }, () => order()));
    for (const { status, body } of created) expect([status, body.projected]).toEqual([201, false]);
    const report = await tally.get('/orders/reports/summary');
    expect([report.status, report.body.type]).toEqual([503, 'urn:tally:problem:read-model-unreachable']);
  } finally {
    redis.thaw();
  }
  await caughtUp(place);
  await expectReportsToBeRight();
});

test('connections that are dead at the other end are given up, and made anew', async () => {
  redis.halfOpen();
  mysql.halfOpen();
  await until(async () => (await order()).status === 201);
  await caughtUp(place);
  await expectReportsToBeRight();
});

test('a connection to Redis that nobody uses is made anew, too', async () => {
  const { proxy, url } = await proxyRedis(place.config.REDIS_URL);
  const config = { ...place.config, REDIS_URL: url, REDIS_TIMEOUT_MS: 200 };
  const idle = connectRedis(config, 'idle', pino({ level: 'silent' }));
  try {
    await redisReady(idle, 5000);
    proxy.halfOpen();
    let isClosed = false;
    idle.once('close', () => (isClosed = true));
    await until(() => isClosed);
    await redisReady(idle, 5000);
    expect(await idle.ping()).toBe('PONG');
  } finally {
    idle.disconnect();
    await proxy.close();
  }
});

test('packets that vanish for a while cost no more than that while', async () => {
  redis.blackHole();
  mysql.blackHole();
  expect((await order()).status).toBe(503);
  expect((await tally.get('/orders/reports/summary')).status).toBe(503);
  redis.endBlackHole();
  mysql.endBlackHole();
  await until(async () => (await order()).status === 201);
  await caughtUp(place);
  await expectReportsToBeRight();
});

test('a connection that goes silent before its first command keeps no command waiting', async () => {
  mysql.holdRequest((request) => request.includes('SET SESSION time_zone'));
  mysql.reset();
  const answers = await Promise.all(Array.from({ length: 5 }, () => order()));
  expect(mysql.isHolding()).toBe(true);
  for (const { status } of answers) expect([201, 503]).toContain(status);
  mysql.reset();
  mysql.deliverHeld();
  await until(async () => (await order()).status === 201);
  await caughtUp(place);
  await expectReportsToBeRight();
});

test('a transaction that MySQL chooses to end a deadlock with is carried out again', async () => {
  const holder = await place.sql.getConnection();
  try {
    await holder.query('START TRANSACTION');
    await holder.query('SELECT position FROM event_head WHERE id = 1 FOR UPDATE');
    const waiting = order(); // has its rows, which refer to the user, and waits for the head
    await until(async () => {
      const [rows] = await place.sql.query<RowDataPacket[]>('SHOW FULL PROCESSLIST');
      return rows.some(({ Info }) => String(Info).includes('event_head WHERE id = 1 FOR UPDATE'));
    });
    // This waits for the order, which waits for us: one of the two must go. Ours is the heavier one, so it stays.
    const rows = Array.from({ length: 300 }, (_, n) => ['Heavy', `heavy-${n}@example.com`, '2026-01-01']);
    await holder.query('INSERT INTO users (name, email, created_at) VALUES ?', [rows]);
    const before = await deadlocks();
    await holder.query("UPDATE users SET name = 'Grace' WHERE id = ?", [user]);
    expect(await deadlocks()).toBeGreaterThan(before);
    await holder.query('ROLLBACK');
    expect((await waiting).status).toBe(201);
  } finally {
    holder.release();
  }
  await caughtUp(place);
  await expectReportsToBeRight();
});

test('a service that loses MySQL while it starts waits for it', async () => {
  let lost = 0;
  mysql.loseAnswers((request) => request.includes('sync_binlog') && lost++ === 0);
  const another = await startTally(place, {
    DATABASE_URL: `mysql://root@127.0.0.1:${mysql.port}${new URL(place.config.DATABASE_URL).pathname}`,
  });
  mysql.loseAnswers(undefined);
  await another.app.close();
  expect(lost).toBeGreaterThan(0);
});

test('a clock that is set back lets no wait become longer', async () => {
  const now = Date.now();
  const clock = jest.spyOn(Date, 'now').mockReturnValue(now);
  try {
    // A read waits for a position that does not come; meanwhile the clock goes back by a day.
    const release = await holdFence(place, 4_000);
    const { body } = await order();
    const waiting = tally.get('/orders/reports/summary', { 'tally-min-position': String(body.position) });
    clock.mockReturnValue(now - 86_400_000);
    expect((await waiting).body.type).toBe('urn:tally:problem:read-model-behind');
    await release();
    // And a lost model is built at once, though its predecessor was built a day later.
    await place.flush();
    await until(async () => (await tally.get('/orders/reports/summary')).status === 200);
  } finally {
    clock.mockRestore();
  }
  await caughtUp(place);
  await expectReportsToBeRight();
});

test('more commands than may wait are shed with 503, and the others are carried out', async () => {
  const busy = await startTally(place, {
    MYSQL_POOL_SIZE: '1',
    MYSQL_QUEUE_LIMIT: '5',
    PROJECTION_WAIT_MS: '0',
  });
  try {
    const items = [{ product_id: products[0], quantity: 1 }];
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => busy.post('/orders', { user_id: user, items })),
    );
    const shed = answers.filter(({ status }) => status === 503);
    expect(shed.length).toBeGreaterThan(0);
    for (const { body, headers } of shed) {
      expect(body.type).toBe('urn:tally:problem:overloaded');
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(answers.length - shed.length).toBe(answers.filter(({ status }) => status === 201).length);
  } finally {
    await busy.app.close();
  }
  await caughtUp(place);
  await expectReportsToBeRight();
});

async function deadlocks(): Promise<number> {
  const [rows] = await place.sql.query<RowDataPacket[]>(
    "SELECT COUNT AS count FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'",
  );
  return Number(rows[0]?.count);
}

/** What the summary says is what MySQL says. */
async function expectReportsToBeRight(): Promise<void> {
  const [rows] = await place.sql.query<RowDataPacket[]>(
    'SELECT COUNT(*) AS orders, SUM(total_amount) AS revenue FROM orders',
  );
  const { body } = await until(async () => {
    const answer = await tally.get('/orders/reports/summary');
    return answer.status === 200 ? answer : undefined;
  });
  expect(body).toMatchObject({ orders: rows[0]?.orders, revenue: rows[0]?.revenue });
}
