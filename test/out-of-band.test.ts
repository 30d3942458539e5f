import type { ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { DELETE_ORDER } from '../src/commands/delete-order';
import { DELETE_PRODUCT } from '../src/commands/delete-product';
import { DELETE_USER } from '../src/commands/delete-user';
import { reconcileSubject } from '../src/commands/reconcile';
import type { SubjectKind } from '../src/domain/events';
import { orderId, productId, userId } from '../src/domain/ids';
import { readAfter, readHead, subjectsWithoutRow } from '../src/mysql/log';
import { readOrdersAfter } from '../src/mysql/tables/orders';
import { newPlace, type Place } from './support/place';
import { now, request, seed, startWriteSide, type WriteSide } from './support/write-side';

let place: Place;
/** Two instances that see the same change at the same time. */
let instances: [WriteSide, WriteSide];
let user: number;
let product: number;

beforeAll(async () => {
  place = await newPlace();
  instances = [await startWriteSide(place), await startWriteSide(place)];
  const { users, products } = await seed(instances[0], 1, [100n]);
  [user = NaN] = users;
  [product = NaN] = products;
});

afterAll(async () => {
  for (const instance of instances) await instance.close();
  await place.close();
});

const sql = async (text: string, values: unknown[] = []) =>
  (await place.sql.query<ResultSetHeader>(text, values))[0];

/** An order of another program, which knows nothing of the log. */
async function insertOrder(unitPrice: string, total = unitPrice): Promise<number> {
  const { insertId } = await sql('INSERT INTO orders (user_id, total_amount) VALUES (?, ?)', [user, total]);
  await sql('INSERT INTO order_items VALUES (?, 1, ?, 1, ?)', [insertId, product, unitPrice]);
  return insertId;
}

async function removeOrder(id: number): Promise<void> {
  await sql('DELETE FROM order_items WHERE order_id = ?', [id]);
  await sql('DELETE FROM orders WHERE id = ?', [id]);
}

/** What both instances say, in any order. */
async function reconcileTwice(kind: SubjectKind, id: number): Promise<string[]> {
  const outcomes = await Promise.all(
    instances.map(({ writer }) => reconcileSubject(writer, { kind, id }, now())),
  );
  return outcomes.map(String).sort();
}

async function logOf(kind: 'Order' | 'Product' | 'User', id: number): Promise<string[]> {
  const [rows] = await place.sql.query<RowDataPacket[]>(
    'SELECT type, payload FROM order_events WHERE subject_id = ? AND type LIKE ? ORDER BY position',
    [id, `${kind}%`],
  );
  return rows.map(({ type, payload }) => `${type} ${payload}`.replace(/,\d{13}\]$/, ',…]'));
}

async function live() {
  return (await instances[0].databases.reads.session(readHead)).live;
}

const ONCE = ['nothing-to-do', 'reconciled'];

test('what another program does to an order reaches the log once, though two instances see it', async () => {
  const before = await live();
  const id = await insertOrder('2.50');
  expect(await reconcileTwice('order', id)).toEqual(ONCE);
  expect((await live()).order).toBe(before.order + 1);
  await sql('UPDATE order_items SET quantity = 3 WHERE order_id = ?', [id]);
  await sql('UPDATE orders SET total_amount = 7.50 WHERE id = ?', [id]);
  expect(await reconcileTwice('order', id)).toEqual(ONCE);
  await removeOrder(id);
  expect(
    await instances[0].databases.reads.session((session) => subjectsWithoutRow(session, 'order', 10_000)),
  ).toEqual([id]);
  expect(await reconcileTwice('order', id)).toEqual(ONCE);
  expect(await reconcileTwice('order', id)).toEqual(['nothing-to-do', 'nothing-to-do']);
  const [one, three] = [`[${user},[[${product},1,250]],…]`, `[${user},[[${product},3,250]],…]`];
  expect(await logOf('Order', id)).toEqual([
    `OrderCreated ${one}`,
    `OrderDeleted ${one}`,
    `OrderCreated ${three}`,
    `OrderDeleted ${three}`,
  ]);
  expect(await live()).toEqual(before);
});

test('the row says afterwards that the log knows it', async () => {
  const id = await insertOrder('2.50');
  await reconcileTwice('order', id);
  const [rows] = await place.sql.query<RowDataPacket[]>('SELECT logged FROM orders WHERE id = ?', [id]);
  expect(rows).toEqual([{ logged: 1 }]);
  await instances[0].writer.execute(DELETE_ORDER, orderId(id), request());
  expect(await logOf('Order', id)).toHaveLength(2);
});

test('products and users: new, renamed, and deleted', async () => {
  const before = await live();
  const added = await sql(
    "INSERT INTO products (name, sku, price, created_at) VALUES ('Cup', 'C', 1, NOW())",
  );
  const registered = await sql("INSERT INTO users (name, email, created_at) VALUES ('Bob', 'bob@x', NOW())");
  const steps = [
    async () => undefined,
    async () => {
      await sql("UPDATE products SET name = 'Mug' WHERE id = ?", [added.insertId]);
      await sql("UPDATE users SET name = 'Eve' WHERE id = ?", [registered.insertId]);
    },
    async () => {
      await sql('DELETE FROM products WHERE id = ?', [added.insertId]);
      await sql('DELETE FROM users WHERE id = ?', [registered.insertId]);
    },
  ];
  const counted = [];
  for (const step of steps) {
    await step();
    expect(await reconcileTwice('product', added.insertId)).toEqual(ONCE);
    expect(await reconcileTwice('user', registered.insertId)).toEqual(ONCE);
    const { product, user } = await live();
    counted.push([product - before.product, user - before.user]);
  }
  expect(counted).toEqual([
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  expect(await logOf('Product', added.insertId)).toEqual([
    'ProductAdded ["Cup","C"]',
    'ProductAdded ["Mug","C"]',
    'ProductRemoved []',
  ]);
  expect(await logOf('User', registered.insertId)).toEqual([
    'UserRegistered ["Bob"]',
    'UserRegistered ["Eve"]',
    'UserRemoved []',
  ]);
});

test('what no report could state exactly is told and not reconciled; it can be deleted', async () => {
  const { writer } = instances[0];
  const tell = (id: number) => reconcileSubject(writer, { kind: 'order', id }, now());
  const before = await live();
  const [wrongTotal, negative] = [await insertOrder('2.50', '9.99'), await insertOrder('-2.50')];
  expect(await tell(wrongTotal)).toEqual({ irreconcilable: 'its total is not the sum of its lines' });
  expect(await tell(negative)).toEqual({ irreconcilable: 'a line has a negative price' });
  await sql('UPDATE event_head SET revenue_minor = revenue_minor + 7999999999990000');
  const last = await insertOrder('1000.00');
  expect(await tell(last)).toEqual({
    irreconcilable: expect.stringContaining('beyond what reports can state'),
  });
  await sql('UPDATE event_head SET revenue_minor = revenue_minor - 7999999999990000');
  for (const id of [wrongTotal, negative]) await writer.execute(DELETE_ORDER, orderId(id), request());
  expect(await logOf('Order', negative)).toEqual([`OrderCreated [${user},[]]`, `OrderDeleted [${user},[]]`]);
  expect(await live()).toEqual(before);
  expect(await tell(last)).toBe('reconciled');
});

test('an order without a date is told and not reconciled; it can be deleted, and the log can still be read', async () => {
  const { writer, databases } = instances[0];
  const before = await databases.reads.session(readHead);
  const id = await insertOrder('2.50');
  const other = await place.sql.getConnection();
  try {
    await other.query("SET SESSION sql_mode = ''");
    await other.query("UPDATE orders SET created_at = '0000-00-00' WHERE id = ?", [id]);
  } finally {
    other.destroy();
  }
  expect(await reconcileSubject(writer, { kind: 'order', id }, now())).toEqual({
    irreconcilable: 'its time is no time',
  });
  await writer.execute(DELETE_ORDER, orderId(id), request());
  const next = await databases.reads.session((session) => readAfter(session, before, 10));
  expect(next).toMatchObject({
    events: [{ event: { type: 'OrderCreated' } }, { event: { type: 'OrderDeleted' } }],
  });
  expect(await live()).toEqual(before.live);
});

test('a product and a user of another program can be deleted, and the head still counts right', async () => {
  const { writer } = instances[0];
  const before = await live();
  const added = await sql(
    "INSERT INTO products (name, sku, price, created_at) VALUES ('Pot', 'P', 1, NOW())",
  );
  const registered = await sql("INSERT INTO users (name, email, created_at) VALUES ('Joe', 'joe@x', NOW())");
  await writer.execute(DELETE_PRODUCT, productId(added.insertId), request());
  await writer.execute(DELETE_USER, userId(registered.insertId), request());
  expect(await live()).toEqual(before);
  expect(await logOf('Product', added.insertId)).toEqual(['ProductAdded ["Pot","P"]', 'ProductRemoved []']);
  expect(await logOf('User', registered.insertId)).toEqual(['UserRegistered ["Joe"]', 'UserRemoved []']);
});

test('an order of a user with an id beyond 2^53 is no order for Tally, and hides no order behind it', async () => {
  const { writer, databases } = instances[0];
  const beyond = '9007199254740993';
  await sql(`INSERT INTO users (id, name, email, created_at) VALUES (${beyond}, 'Max', 'max@x', NOW())`);
  const { insertId: first } = await sql(`INSERT INTO orders (user_id, total_amount) VALUES (${beyond}, 0)`);
  const { insertId: second } = await sql(`INSERT INTO orders (user_id, total_amount) VALUES (${beyond}, 0)`);
  const last = await insertOrder('2.50');
  const page = (after: number) => databases.reads.session((session) => readOrdersAfter(session, after, 2));
  expect(await page(first - 1)).toEqual({ orders: [], lastId: second });
  expect(await page(second)).toMatchObject({ orders: [{ order: { orderId: last } }], lastId: last });
  expect(await page(last)).toEqual({ orders: [], lastId: undefined });
  const startedAt = performance.now();
  await expect(writer.execute(DELETE_ORDER, orderId(first), request())).rejects.toMatchObject({
    slug: 'order-not-found',
  });
  expect(performance.now() - startedAt).toBeLessThan(1000);
  await sql('DELETE FROM orders WHERE user_id > 9007199254740991');
  await sql('DELETE FROM users WHERE id > 9007199254740991');
});
