import { setTimeout as delay } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { CREATE_PRODUCT } from '../src/commands/create-product';
import { CREATE_USER } from '../src/commands/create-user';
import { DELETE_ORDER } from '../src/commands/delete-order';
import { DELETE_PRODUCT } from '../src/commands/delete-product';
import { DELETE_USER } from '../src/commands/delete-user';
import { keyedIdentity, uniqueIdentity } from '../src/commands/writer/identity';
import { orderId, userId, type OrderId, type ProductId, type UserId } from '../src/domain/ids';
import { Problem } from '../src/domain/problems';
import { proxyDatabase, type Proxy } from '../torture/proxy';
import { newPlace, until, type Place } from './support/place';
import { privateDatabase } from './support/private-database';
import { request, seed, startWriteSide, type WriteSide } from './support/write-side';

let place: Place;
let mysql: Proxy;
let side: WriteSide;
let users: UserId[];
let products: ProductId[];

beforeAll(async () => {
  place = await newPlace();
  const proxied = await proxyDatabase(place.config.DATABASE_URL);
  mysql = proxied.proxy;
  side = await startWriteSide(place, { DATABASE_URL: proxied.url, MYSQL_TIMEOUT_MS: '1500' });
  ({ users, products } = await seed(side, 2, [100n, 250n]));
});

afterAll(async () => {
  await side.close();
  await mysql.close();
  await place.close();
});

const [first, second] = [0, 1];
const user = (index = first) => users[index] ?? fail();
const product = (index = first) => products[index] ?? fail();
const fail = () => {
  throw new Error('the catalogue is not seeded');
};
const order = (identity = uniqueIdentity()) => side.order(user(), [product(), product(second)], identity);
const orders = (count: number) => Promise.all(Array.from({ length: count }, () => order()));
const remove = (id: OrderId, identity = uniqueIdentity()) =>
  side.writer.execute(DELETE_ORDER, id, request(identity));
const idOf = ({ logged }: Awaited<ReturnType<typeof order>>) => logged.event.order.orderId;
const keyed = (key: string, content: unknown = 'the same') =>
  keyedIdentity({ caller: 'test', route: 'test', key }, content);
const slugOf = (error: unknown) => (error instanceof Problem ? error.slug : error);
const rows = async (sql: string) => (await place.sql.query<RowDataPacket[]>(sql))[0];

/** Everything that the write side keeps. */
async function counts(): Promise<RowDataPacket | undefined> {
  const [row] = await rows(
    `SELECT (SELECT COUNT(*) FROM orders) AS orders, (SELECT COUNT(*) FROM order_items) AS items,
            (SELECT COUNT(*) FROM order_events) AS events, head.* FROM event_head AS head`,
  );
  return row;
}

/** The head counts what the log says, and the log says what the tables say. */
async function expectAllToAgree(): Promise<void> {
  const [row] = await rows(
    `SELECT (SELECT COUNT(*) FROM orders) - orders_live AS orders,
            (SELECT COUNT(*) FROM products) - products_live AS products,
            (SELECT COUNT(*) FROM users) - users_live AS users,
            (SELECT COALESCE(SUM(quantity), 0) FROM order_items) - units AS units,
            (SELECT CAST(COALESCE(SUM(total_amount), 0) * 100 AS SIGNED) FROM orders) - revenue_minor AS revenue,
            (SELECT MAX(position) FROM order_events) - position AS position
       FROM event_head`,
  );
  expect(Object.values(row ?? {}).map(Number)).toEqual([0, 0, 0, 0, 0, 0]);
}

/** How many commands of the MySQL protocol travel while this is done: a command begins with packet number 0. */
async function packetsOf(work: () => Promise<unknown>): Promise<number> {
  const chunks: Buffer[] = [];
  mysql.holdRequest((chunk) => {
    chunks.push(chunk);
    return false;
  });
  await work();
  mysql.holdRequest(undefined);
  const sent = Buffer.concat(chunks);
  let packets = 0;
  for (let at = 0; at < sent.length; at += 4 + sent.readUIntLE(at, 3)) if (sent[at + 3] === 0) packets += 1;
  return packets;
}

test('any group, also of one, costs two packets', async () => {
  const created = await orders(60);
  expect(await packetsOf(() => order())).toBe(2);
  expect(await packetsOf(() => order(keyed('two packets')))).toBe(2);
  expect(await packetsOf(() => orders(40))).toBe(2);
  expect(
    await packetsOf(() => Promise.all(created.slice(0, 30).map((receipt) => remove(idOf(receipt))))),
  ).toBe(2);
  const both = () =>
    Promise.all([
      orders(10),
      ...created.slice(30, 40).map((receipt) => remove(idOf(receipt), keyed(`${idOf(receipt)}`))),
    ]);
  expect(await packetsOf(both)).toBe(2);

  const added = { name: 'Tea', sku: 'two packets', price: 1n };
  const registered = { name: 'Eva', email: 'two@example.com' };
  let productId = product();
  let registeredId = user();
  const catalogue = [
    async () => ({ productId } = (await side.writer.execute(CREATE_PRODUCT, added, request())).logged.event),
    async () =>
      ({ userId: registeredId } = (
        await side.writer.execute(CREATE_USER, registered, request())
      ).logged.event),
    () => side.writer.execute(DELETE_PRODUCT, productId, request()),
    () => side.writer.execute(DELETE_USER, registeredId, request()),
  ];
  for (const command of catalogue) expect(await packetsOf(command)).toBe(2);
  await expectAllToAgree();
});

test('only a group that names a missing row asks MySQL once more', async () => {
  const missing = userId(999_999);
  const refused = () => side.order(missing, [product()]).catch(slugOf);
  expect(await refused()).toBe('unknown-user');
  expect(await packetsOf(refused)).toBe(3); // the third is the ROLLBACK
  expect(await packetsOf(() => Promise.all([order(), refused(), order()]))).toBe(3);
  await expectAllToAgree();
});

test('a group is a fold: of two deletions of one order the second finds none', async () => {
  const [receipt, other] = await orders(2);
  if (receipt === undefined || other === undefined) throw new Error('no receipts');
  side.groups.length = 0;
  const results = await Promise.all([
    remove(idOf(receipt)),
    remove(idOf(receipt)).catch(slugOf),
    order(),
    remove(idOf(other)),
    remove(orderId(999_999)).catch(slugOf),
    side.order(user(), [product(), product()]),
  ]);
  expect(
    results.map((result) => (typeof result === 'object' && result !== null ? 'logged' : result)),
  ).toEqual(['logged', 'order-not-found', 'logged', 'logged', 'order-not-found', 'logged']);
  expect(side.groups).toEqual([4]);
  await expectAllToAgree();
});

test('a receipt says what was appended, and the listener is told of it', async () => {
  const before = await counts();
  const receipts = await orders(5);
  const appended = side.appended.at(-1);
  expect(appended?.base.position).toBe(before?.position);
  expect(receipts.map(({ logged }) => logged)).toEqual(appended?.events);
  const stored = await rows(
    'SELECT position, LOWER(HEX(event_id)) AS id, subject_id FROM order_events ORDER BY position DESC LIMIT 5',
  );
  expect(stored.reverse().map((row) => [row.position, row.id, row.subject_id])).toEqual(
    receipts.map(({ logged }) => [logged.position, logged.eventId, logged.event.order.orderId]),
  );
});

test('several rows on other ids than expected make the transaction fail', async () => {
  const before = await counts();
  await place.sql.query(
    'CREATE TRIGGER other_content BEFORE INSERT ON orders FOR EACH ROW SET NEW.fingerprint = NEW.fingerprint ^ 1',
  );
  try {
    // Of one row, MySQL itself says which id it was given. So each is carried out when it comes to it alone.
    side.groups.length = 0;
    await orders(2);
    expect(side.groups).toEqual([1, 1]);
  } finally {
    await place.sql.query('DROP TRIGGER other_content');
  }
  expect((await counts())?.items).toBe(before?.items + 4);
  await order();
  await expectAllToAgree();
});

test('ids in steps of two, and another program that inserts meanwhile: every line belongs to its order', async () => {
  const database = await privateDatabase();
  const apart = await newPlace({ DATABASE_URL: database.url });
  try {
    await apart.sql.query('SET GLOBAL auto_increment_increment = 2');
    const server = await startWriteSide(apart);
    const catalogue = await seed(server, 1, [100n, 250n]);
    const [buyer = user()] = catalogue.users;
    let writing = true;
    const other = async () => {
      while (writing) {
        await apart.sql.query('INSERT INTO orders (user_id, total_amount) VALUES (?, 0)', [buyer]);
      }
    };
    const others = [other(), other()];
    const receipts = [];
    for (let round = 0; round < 20; round++) {
      const group = Array.from({ length: 15 }, () => server.order(buyer, catalogue.products));
      receipts.push(...(await Promise.all(group)));
    }
    writing = false;
    await Promise.all(others);
    const ids = receipts.map(idOf);
    const [stored] = await apart.sql.query<RowDataPacket[]>(
      'SELECT order_id, COUNT(*) AS items FROM order_items GROUP BY order_id ORDER BY order_id',
    );
    expect(stored).toEqual(ids.toSorted((a, b) => a - b).map((order_id) => ({ order_id, items: 2 })));
    const [strangers] = await apart.sql.query<RowDataPacket[]>('SELECT id FROM orders WHERE logged = 0');
    expect(strangers.length).toBeGreaterThan(0);
    expect(strangers.map(({ id }) => id).filter((id) => ids.includes(id))).toEqual([]);
    await server.close();
  } finally {
    await apart.close();
    await database.stop();
  }
}, 120_000);

test('duplicate requests are carried out once, whatever their number', async () => {
  const before = await counts();
  const receipts = await Promise.all(Array.from({ length: 8 }, () => order(keyed('many'))));
  expect(new Set(receipts.map(idOf)).size).toBe(1);
  expect(receipts.filter(({ replayed }) => !replayed)).toHaveLength(1);
  await expect(order(keyed('many', 'something else'))).rejects.toMatchObject({
    slug: 'idempotency-key-reused',
  });
  expect((await counts())?.events).toBe(before?.events + 1);

  const [receipt] = receipts;
  if (receipt === undefined) throw new Error('no receipt');
  const deletions = await Promise.all([
    remove(idOf(receipt), keyed('gone')),
    remove(idOf(receipt), keyed('gone')),
  ]);
  expect(deletions.map(({ replayed }) => String(replayed)).sort()).toEqual(['false', 'true']);
});

test('two processes that race with one key fail nobody else, and go on in groups', async () => {
  const other = await startWriteSide(place);
  try {
    for (let round = 0; round < 10; round++) {
      side.groups.length = 0;
      other.groups.length = 0;
      const identity = keyed(`race ${round}`);
      const together = (process: WriteSide) => [
        ...Array.from({ length: 20 }, () => process.order(user(), [product()])),
        process.order(user(), [product()], identity),
      ];
      const receipts = await Promise.all([...together(side), ...together(other)]);
      expect(new Set(receipts.map(({ logged }) => logged.eventId)).size).toBe(41);
      expect(receipts.filter(({ replayed }) => replayed).length).toBeLessThanOrEqual(1);
      expect(side.groups.length + other.groups.length).toBeLessThanOrEqual(4);
    }
  } finally {
    await other.close();
  }
  await expectAllToAgree();
});

test('a group stays one where another process carries out one of its requests after the other', async () => {
  const other = await startWriteSide(place);
  try {
    side.groups.length = 0;
    const keys = ['faster 1', 'faster 2', 'faster 3'];
    mysql.holdRequest(isCommit);
    const created = Promise.all([
      ...Array.from({ length: 20 }, () => order()),
      ...keys.map((key) => order(keyed(key))),
    ]);
    for (const [index, key] of keys.entries()) {
      await until(() => mysql.isHolding());
      await other.order(user(), [product(), product(second)], keyed(key));
      mysql.holdRequest(index + 1 < keys.length ? isCommit : undefined);
      mysql.deliverHeld();
    }
    expect((await created).filter(({ replayed }) => replayed)).toHaveLength(keys.length);
    expect(side.groups).toEqual([20]);
  } finally {
    await other.close();
  }
  await expectAllToAgree();
});

test('a deletion whose duplicate was faster in another process is answered with its receipt', async () => {
  const other = await startWriteSide(place);
  try {
    for (const receipt of await orders(10)) {
      const identity = keyed(`delete ${idOf(receipt)}`);
      const deletions = await Promise.all([
        remove(idOf(receipt), identity),
        other.writer.execute(DELETE_ORDER, idOf(receipt), request(identity)),
      ]);
      expect(new Set(deletions.map(({ logged }) => logged.eventId)).size).toBe(1);
    }
  } finally {
    await other.close();
  }
});

test('races that a constraint notices are decided by what is there afterwards', async () => {
  const other = await startWriteSide(place);
  const both = [side.writer, other.writer];
  try {
    for (let round = 0; round < 5; round++) {
      const added = { name: 'Tea', sku: `race-${round}`, price: 1n };
      const registered = { name: 'Ada', email: `race-${round}@example.com` };
      const outcomes = await Promise.all([
        ...both.map((writer) => writer.execute(CREATE_PRODUCT, added, request()).then(() => 'done', slugOf)),
        ...both.map((writer) =>
          writer.execute(CREATE_USER, registered, request()).then(() => 'done', slugOf),
        ),
      ]);
      expect(outcomes.map(String).sort()).toEqual(['done', 'done', 'email-taken', 'sku-taken']);
      // An order and the removal of what it names: one of the two is refused.
      const {
        users: [buyer = user()],
        products: [bought = product()],
      } = await seed(side, 1, [100n]);
      const [created, ...removed] = await Promise.all([
        side.order(buyer, [bought]).then(() => 'done', slugOf),
        other.writer.execute(DELETE_PRODUCT, bought, request()).then(() => 'done', slugOf),
        other.writer.execute(DELETE_USER, buyer, request()).then(() => 'done', slugOf),
      ]);
      if (created === 'done') expect(removed).toEqual(['product-in-use', 'user-in-use']);
      else expect(['unknown-product', 'unknown-user']).toContain(created);
    }
  } finally {
    await other.close();
  }
  await expectAllToAgree();
});

test('at the bound of the sums an order is refused, smaller ones and deletions are not, and nothing is in doubt', async () => {
  const {
    users: [buyer = user()],
    products: [dear = product(), cheap = product()],
  } = await seed(side, 1, [90_000_00n, 1n]);
  const nudges = side.nudges();
  await place.sql.query('UPDATE event_head SET revenue_minor = 8000000000000000 - 1000000');
  try {
    const existing = await side.order(buyer, [cheap]);
    const results = await Promise.all([
      side.order(buyer, [dear]).then(() => 'done', slugOf),
      side.order(buyer, [cheap]).then(() => 'done', slugOf),
      remove(idOf(existing)).then(() => 'done', slugOf),
    ]);
    expect(results).toEqual(['sum-bound-reached', 'done', 'done']);
    expect(side.nudges()).toBe(nudges);
    // One minor unit below the bound.
    const last = await side.order(buyer, [cheap]);
    await place.sql.query('UPDATE event_head SET revenue_minor = 7999999999999999');
    await expect(remove(idOf(last))).resolves.toMatchObject({ replayed: false });
  } finally {
    await place.sql.query(
      'UPDATE event_head SET revenue_minor = (SELECT CAST(SUM(total_amount) * 100 AS SIGNED) FROM orders)',
    );
  }
  await expectAllToAgree();
});

/** The packet that ends a write transaction. */
const isCommit = (packet: Buffer) => packet.includes(';COMMIT');

test('a COMMIT whose answer is lost is found in the log, for a whole group', async () => {
  const before = await counts();
  let lost = 0;
  mysql.loseAnswers((packet) => isCommit(packet) && lost++ === 0);
  const receipts = await Promise.all([...Array.from({ length: 10 }, () => order()), order(keyed('lost'))]);
  mysql.loseAnswers(undefined);
  expect(lost).toBeGreaterThan(0);
  expect(receipts.map(({ replayed }) => replayed)).toEqual(Array(11).fill(false));
  expect((await counts())?.events).toBe(before?.events + 11);
  await expectAllToAgree();
});

test('a COMMIT that reaches MySQL only after its client gave up is not done twice', async () => {
  const before = await counts();
  mysql.holdRequest(isCommit);
  // Its packet is awaited for as long as a command may take; so its caller is told that the outcome is not known.
  const created = order(keyed('late')).catch(slugOf);
  await until(() => mysql.isHolding());
  expect(await created).toBe('outcome-unknown');
  await until(() => mysql.isHeldRequestGivenUp());
  const again = await order(keyed('late'));
  mysql.deliverHeld();
  expect(again.replayed).toBe(false);
  await until(async () => (await order(keyed('late'))).replayed);
  expect((await counts())?.events).toBe(before?.events + 1);
  await expectAllToAgree();
});

test('a deletion that commits only after its client gave up is found by the request that repeats it', async () => {
  const [receipt] = await orders(1);
  if (receipt === undefined) throw new Error('no receipt');
  mysql.holdRequest(isCommit);
  const deletion = await remove(idOf(receipt), keyed('late deletion')).catch(slugOf);
  expect(deletion).toBe('outcome-unknown');
  // The first transaction still holds the row: the second request waits for it, and does not find it gone.
  const again = remove(idOf(receipt), keyed('late deletion'));
  await delay(300);
  mysql.deliverHeld();
  expect((await again).replayed).toBe(true);
  await expectAllToAgree();
});

test('MySQL goes away during the COMMIT: the outcome is unknown, and the key tells it later', async () => {
  mysql.loseAnswers((packet) => {
    if (!isCommit(packet)) return false;
    // The first of its answers is on its way, so MySQL has the whole packet and commits.
    void mysql.refuse();
    mysql.breakClients();
    return false;
  });
  const unknown = order(keyed('cut'));
  await expect(unknown).rejects.toMatchObject({ slug: 'outcome-unknown' });
  mysql.loseAnswers(undefined);
  await expect(order()).rejects.toMatchObject({ slug: 'mysql-unreachable' });
  await mysql.restore();
  const again = await until(() => order(keyed('cut')).catch(() => undefined));
  expect(again.replayed).toBe(true);
  await expectAllToAgree();
});

test('a COMMIT that lands late is found by the next look-up of the same command, and is no replay', async () => {
  const before = await counts();
  mysql.holdRequest(isCommit);
  const created = order(keyed('lands late'));
  await until(() => mysql.isHolding());
  mysql.holdRequest((packet) => {
    if (!packet.includes('FROM users')) return false;
    // The COMMIT overtakes the look-up.
    mysql.delay(100);
    mysql.deliverHeld();
    return false;
  });
  mysql.breakClients();
  expect((await created).replayed).toBe(false);
  mysql.delay(0);
  mysql.holdRequest(undefined);
  expect((await counts())?.events).toBe(before?.events + 1);
  expect((await order(keyed('lands late'))).replayed).toBe(true);
  await expectAllToAgree();
});

test('a retry that could not ask what its key did before does not say that nothing was changed', async () => {
  mysql.holdRequest(isCommit);
  const first = order(keyed('behind')).catch(slugOf);
  await until(() => mysql.isHolding());
  mysql.freeze();
  // It waits behind the first one, whose outcome cannot be found out.
  const second = order(keyed('behind')).catch(slugOf);
  const unkeyed = order().catch(slugOf);
  const outcomes = await Promise.all([first, second, unkeyed]);
  mysql.deliverHeld();
  mysql.thaw();
  expect(outcomes).toEqual(['outcome-unknown', 'outcome-unknown', 'mysql-unreachable']);
  const third = await until(() => order(keyed('behind')).catch(() => undefined));
  expect(third.replayed).toBe(true);
  await expectAllToAgree();
});
