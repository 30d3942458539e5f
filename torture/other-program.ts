import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import type { Random } from './random';
import type { Stage } from './stage';

/** Of the catalogue that a run begins with; see `clients.ts`. */
const SOME_USER = 1;
const SOME_PRODUCT = 2;

type Table = 'orders' | 'users' | 'products';

/** Ids of the rows that it inserted itself, and whose transaction was committed. */
type OwnRows = Record<Table, number[]>;

const ownRows = new WeakMap<Stage, OwnRows>();

/** MySQL was restored: ids of its rows may be given to the clients' orders. */
export function forgetOwnRows(stage: Stage): void {
  ownRows.delete(stage);
}

interface Written {
  /** In the words of the report. */
  about: string;
  inserted?: { table: Table; id: number };
}

/** A program that knows nothing of Tally and of its log writes into the same tables. It leaves the clients' orders alone. */
export async function writeAsAnotherProgram(stage: Stage, random: Random): Promise<string | undefined> {
  const own = ownRows.get(stage) ?? { orders: [], users: [], products: [] };
  ownRows.set(stage, own);
  const sql = await stage.connect().catch(() => undefined); // MySQL is away for everybody
  if (sql === undefined) return undefined;
  try {
    const done: string[] = [];
    for (let step = random.int(1, 4); step > 0; step--) {
      await sql.beginTransaction();
      const { about, inserted } = await writeSomething(sql, random, own);
      await sql.commit();
      done.push(about);
      if (inserted !== undefined) own[inserted.table].push(inserted.id);
    }
    return done.join(', ');
  } catch {
    return undefined; // it lost its connection or a lock, and gives up
  } finally {
    sql.destroy();
  }
}

async function writeSomething(sql: Connection, random: Random, own: OwnRows): Promise<Written> {
  switch (random.pick(['order', 'order', 'change', 'delete', 'rename', 'catalogue'] as const)) {
    case 'order':
      return insertOrder(sql, random);
    case 'change':
      return changeOrder(sql, random, own.orders);
    case 'delete':
      return deleteOrder(sql, random, own.orders);
    case 'rename':
      await sql.query('UPDATE products SET name = ? WHERE id = ?', [
        `Renamed ${random.int(1, 999)}`,
        SOME_PRODUCT,
      ]);
      return { about: 'renamed a product' };
    case 'catalogue':
      return changeCatalogue(sql, random, own);
  }
}

async function insertOrder(sql: Connection, random: Random): Promise<Written> {
  const id = await insert(sql, 'INSERT INTO orders (user_id, total_amount, created_at) VALUES (?, 0, ?)', [
    SOME_USER,
    daysAgo(random.int(1, 300)),
  ]);
  await sql.query('INSERT INTO order_items VALUES (?, 1, ?, ?, 2.50)', [id, SOME_PRODUCT, random.int(1, 9)]);
  await setTotal(sql, id);
  return { about: `inserted order ${id}`, inserted: { table: 'orders', id } };
}

async function changeOrder(sql: Connection, random: Random, ids: number[]): Promise<Written> {
  const id = await lockOne(sql, random, ids);
  if (id === undefined) return { about: 'found no order to change' };
  await sql.query('UPDATE order_items SET quantity = quantity + ? WHERE order_id = ?', [
    random.int(1, 5),
    id,
  ]);
  await setTotal(sql, id);
  return { about: `changed order ${id}` };
}

async function deleteOrder(sql: Connection, random: Random, ids: number[]): Promise<Written> {
  const id = await lockOne(sql, random, ids);
  if (id === undefined) return { about: 'found no order to delete' };
  await sql.query('DELETE FROM order_items WHERE order_id = ?', [id]);
  await sql.query('DELETE FROM orders WHERE id = ?', [id]);
  return { about: `deleted order ${id}` };
}

/** Adds a user or a product, or deletes one that it added. */
async function changeCatalogue(sql: Connection, random: Random, own: OwnRows): Promise<Written> {
  const table = random.pick(['users', 'products'] as const);
  const ids = own[table];
  if (ids.length > 0 && random.chance(0.5)) {
    const id = random.pick(ids);
    await sql.query('DELETE FROM ?? WHERE id = ?', [table, id]);
    return { about: `deleted one of the ${table}, ${id}` };
  }
  const unique = `other-${random.int(0, 0x7fffffff)}`;
  const id =
    table === 'users'
      ? await insert(sql, 'INSERT INTO users (name, email, created_at) VALUES (?, ?, NOW(3))', [
          unique,
          unique,
        ])
      : await insert(sql, 'INSERT INTO products (name, sku, price, created_at) VALUES (?, ?, 1, NOW(3))', [
          unique,
          unique,
        ]);
  return { about: `inserted one of the ${table}, ${id}`, inserted: { table, id } };
}

async function insert(sql: Connection, statement: string, values: (string | number)[]): Promise<number> {
  const [{ insertId }] = await sql.query<ResultSetHeader>(statement, values);
  return insertId;
}

/** One of its orders, locked; undefined where it picks one that is gone. */
async function lockOne(sql: Connection, random: Random, ids: number[]): Promise<number | undefined> {
  if (ids.length === 0) return undefined;
  const [found] = await sql.query<RowDataPacket[]>('SELECT id FROM orders WHERE id = ? FOR UPDATE', [
    random.pick(ids),
  ]);
  return found[0]?.id;
}

async function setTotal(sql: Connection, id: number): Promise<void> {
  await sql.query(
    'UPDATE orders SET total_amount = (SELECT SUM(quantity * unit_price) FROM order_items WHERE order_id = ?) WHERE id = ?',
    [id, id],
  );
}

function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().replace('T', ' ').replace('Z', '');
}
