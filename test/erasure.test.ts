import type { ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { runCli } from './support/cli';
import {
  caughtUp,
  keysOf,
  liveKeyOf,
  newPlace,
  seedCatalogue,
  startTally,
  until,
  valueOf,
  type Place,
  type Tally,
} from './support/tally';

const NAME = 'Zerlina Quast';
const EMAIL = 'zerlina.quast@example.com';

let place: Place;
let tally: Tally;

beforeEach(async () => {
  place = await newPlace();
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterEach(async () => {
  await tally.app.close();
  await place.close();
});

const cli = (...args: string[]) => runCli(args, place.env);

async function register(headers: Record<string, string> = {}): Promise<number> {
  const { body } = await tally.post('/users', { name: NAME, email: EMAIL }, headers);
  return body.user_id;
}

const erase = (user: number, headers: Record<string, string> = {}) =>
  tally.send('POST', `/users/${user}/erasure`, undefined, headers);

/** Every table and every key that holds a part of the name or of the email, in whatever column or field. */
async function traces(): Promise<string[]> {
  const found: string[] = [];
  const look = (where: string, content: string) => {
    if (/zerlina|quast/i.test(content)) found.push(where);
  };
  const [tables] = await place.sql.query<RowDataPacket[]>(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  for (const { name } of tables) {
    const [rows] = await place.sql.query<RowDataPacket[]>('SELECT * FROM ??', [name]);
    for (const value of rows.flatMap(Object.values)) {
      look(name, Buffer.isBuffer(value) ? value.toString('latin1') : String(value));
    }
  }
  for (const key of await keysOf(place.redis, place.prefix)) {
    look(key, key + JSON.stringify(await valueOf(place.redis, key)));
  }
  return found.sort();
}

/** A rebuild and a repair find nothing; and the service, too, says of itself that all is well. */
async function expectAllIsWell(): Promise<void> {
  await caughtUp(place);
  for (const command of ['verify', 'rebuild', 'verify', 'repair']) {
    const { exitCode, output } = await cli(command);
    expect([command, exitCode, output]).toEqual([
      command,
      0,
      expect.not.stringMatching(/[1-9]\d* keys? differed/),
    ]);
  }
  const { last_verification: last } = (await tally.get('/read-model')).body;
  expect(last).toMatchObject({ drift: 0, out_of_band: 0, findings: [] });
  const [[counts]] = await place.sql.query<RowDataPacket[]>(
    'SELECT users_live, (SELECT COUNT(*) FROM users) AS users FROM event_head',
  );
  expect(counts?.users_live).toBe(counts?.users);
}

test('after an erasure, and after a rebuild, the name and the email are nowhere; the orders stay', async () => {
  const user = await register({ 'idempotency-key': 'register' });
  const { products } = await seedCatalogue(tally, ['2.50']);
  const order = { user_id: user, items: [{ product_id: products[0], quantity: 2 }] };
  const { body: ordered } = await tally.post('/orders', order);
  // Another program corrects the name, and the log hears of it.
  await place.sql.query('UPDATE users SET name = ? WHERE id = ?', [`${NAME}-Meier`, user]);
  // And somebody damages Redis: what is kept of that finding is not the name.
  const key = await liveKeyOf(place, `user:${user}`);
  await place.redis.hset(key, 'name', `${NAME}!`);
  expect((await cli('repair')).output).toContain('expected {"name":"…"}');
  await caughtUp(place);
  expect(await traces()).toEqual(['order_events', 'order_events', 'users', 'users', key]);

  const { status, body } = await erase(user);
  expect([status, body]).toEqual([
    200,
    { user_id: user, erased: true, position: expect.any(Number), projected: true },
  ]);
  expect(await traces()).toEqual([]);
  await expectAllIsWell();
  expect(await traces()).toEqual([]);

  expect((await tally.get(`/users/${user}`)).body).toMatchObject({
    name: '[erased]',
    email: `[erased ${user}]`,
  });
  expect((await tally.get('/orders/reports/highest-spenders')).body).toEqual([
    { user_id: user, name: '[erased]', orders_count: 1, total_expense: '5.00' },
  ]);
  expect((await tally.get(`/orders/${ordered.order_id}`)).body).toMatchObject({ total_amount: '5.00' });
  const [newest] = (await tally.get('/audit?limit=1')).body.entries;
  expect(newest).toMatchObject({ what: 'user-erased', about: { kind: 'user', id: String(user) } });
  // The first request cannot bring the name back, nor tell whether it was this one.
  const again = await tally.post('/users', { name: NAME, email: EMAIL }, { 'idempotency-key': 'register' });
  expect([again.status, again.body.type]).toEqual([422, 'urn:tally:problem:idempotency-key-reused']);
});

test('an erasure may be asked for again, and orders may come and go meanwhile', async () => {
  const user = await register();
  const first = await erase(user, { 'idempotency-key': 'once' });
  const replay = await erase(user, { 'idempotency-key': 'once' });
  expect([replay.body, replay.headers.get('idempotent-replayed')]).toEqual([first.body, 'true']);
  const second = await erase(user, { 'content-type': 'application/json' });
  expect([second.status, second.body.erased]).toEqual([200, true]);
  expect(await traces()).toEqual([]);
  const { products } = await seedCatalogue(tally, ['1.00']);
  const order = { user_id: user, items: [{ product_id: products[0], quantity: 1 }] };
  const [erased, ...orders] = await Promise.all([
    erase(user),
    ...Array.from({ length: 20 }, () => tally.post('/orders', order)),
  ]);
  expect(erased.status).toBe(200);
  const deletions = await Promise.all(orders.map(({ body }) => tally.delete(`/orders/${body.order_id}`)));
  expect(deletions.map(({ status }) => status)).toEqual(Array(20).fill(200));
  await expectAllIsWell();
  expect((await tally.delete(`/users/${user}`)).status).toBe(200);
  await expectAllIsWell();
});

test('of a user who was removed, the log still holds the name until it is erased', async () => {
  const user = await register();
  await tally.delete(`/users/${user}`);
  expect(await traces()).toEqual(['order_events']);
  expect((await erase(user)).body).toMatchObject({ user_id: user, erased: true, projected: true });
  expect(await traces()).toEqual([]);
  expect((await tally.get(`/users/${user}`)).status).toBe(404);
  await expectAllIsWell();
});

test('a user of another program is erased, whether or not the log has heard of him', async () => {
  const [{ insertId }] = await place.sql.query<ResultSetHeader>(
    'INSERT INTO users (name, email) VALUES (?, ?)',
    [NAME, EMAIL],
  );
  expect((await erase(insertId)).status).toBe(200);
  expect(await traces()).toEqual([]);
  const user = await register();
  await place.sql.query('DELETE FROM users WHERE id = ?', [user]);
  expect((await erase(user)).status).toBe(200);
  expect(await traces()).toEqual([]);
  await expectAllIsWell();
});

test('nobody can take the place of an erased email, and who never was cannot be erased', async () => {
  expect((await tally.post('/users', { name: NAME, email: '[erased 1]' })).status).toBe(400);
  const { status, body } = await erase(7);
  expect([status, body.type]).toEqual([404, 'urn:tally:problem:user-not-found']);
});
