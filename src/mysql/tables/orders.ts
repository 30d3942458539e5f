import { fingerprint, type Order } from '../../domain/events';
import { formatMinor, minorFromDecimal } from '../../domain/money';
import { safeId, type Session, type Statement } from '../pool';
import { fromDatetime, toDatetime } from '../time';

/** An order as its rows state it. */
export interface StoredOrder {
  order: Order;
  /** Whether the rows are what Tally logged; if not, another program wrote or changed them. */
  asLogged: boolean;
}

interface OrderRow {
  id: number;
  user_id: number;
  total_amount: string;
  created_at: string;
  logged: number;
  fingerprint: number;
}

interface ItemRow {
  order_id: number;
  product_id: number;
  quantity: number;
  unit_price: string;
}

const ORDER_COLUMNS = 'id, user_id, total_amount, created_at, logged, fingerprint';
const ITEM_COLUMNS = 'order_id, product_id, quantity, unit_price';

/** These orders and their lines, locked until the transaction ends. */
export async function lockOrders(session: Session, ids: number[]): Promise<Map<number, StoredOrder>> {
  if (ids.length === 0) return new Map();
  const [rows, items] = await session.together([
    // In ascending order of id, as every writer takes them, so that two writers cannot wait for each other.
    { sql: `SELECT ${ORDER_COLUMNS} FROM orders WHERE id IN (?) ORDER BY id FOR UPDATE`, parameters: [ids] },
    {
      sql: `SELECT ${ITEM_COLUMNS} FROM order_items WHERE order_id IN (?) ORDER BY order_id, line_no`,
      parameters: [ids],
    },
  ]);
  const stored = assemble(rows as OrderRow[], items as ItemRow[]);
  return new Map(stored.map((order) => [order.order.orderId, order]));
}

/**
 * The next orders by id, at most `limit`, as this session sees them: one page of a scan over all orders. Orders of other
 * programs with ids beyond 2^53, which JSON cannot state, are left out; they are never adopted.
 */
export async function readOrdersAfter(
  session: Session,
  afterId: number,
  limit: number,
): Promise<StoredOrder[]> {
  const rows = await session.rows<OrderRow>(
    `SELECT ${ORDER_COLUMNS} FROM orders WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`,
    [afterId, Number.MAX_SAFE_INTEGER, limit],
  );
  const first = rows[0];
  const last = rows.at(-1);
  if (first === undefined || last === undefined) return [];
  const items = await session.rows<ItemRow>(
    `SELECT ${ITEM_COLUMNS} FROM order_items WHERE order_id BETWEEN ? AND ? ORDER BY order_id, line_no`,
    [first.id, last.id],
  );
  return assemble(rows, items);
}

/** Both lists are in ascending order of the order's id. */
function assemble(rows: OrderRow[], items: ItemRow[]): StoredOrder[] {
  let next = 0;
  return rows.map((row) => {
    const order: Order = {
      orderId: row.id,
      userId: row.user_id,
      total: minorFromDecimal(row.total_amount),
      createdAt: fromDatetime(row.created_at),
      lines: [],
    };
    for (let item = items[next]; item !== undefined && item.order_id <= order.orderId; item = items[++next]) {
      if (item.order_id < order.orderId) continue;
      order.lines.push({
        productId: item.product_id,
        quantity: item.quantity,
        unitPrice: minorFromDecimal(item.unit_price),
      });
    }
    return { order, asLogged: row.logged === 1 && row.fingerprint === fingerprint(order) };
  });
}

/** User, total, time, logged, fingerprint. */
type NewOrderRow = [number, string, string, number, number];

/**
 * Inserts orders and returns them with the ids that they were given, in their order; their lines go together with the next
 * statement of the session.
 */
export async function insertNewOrders(session: Session, orders: Omit<Order, 'orderId'>[]): Promise<Order[]> {
  if (orders.length === 0) return [];
  const rows = orders.map((order): NewOrderRow => [
    order.userId,
    formatMinor(order.total),
    toDatetime(order.createdAt),
    1,
    fingerprint(order),
  ]);
  const insert = {
    sql: 'INSERT INTO orders (user_id, total_amount, created_at, logged, fingerprint) VALUES ?',
    parameters: [rows],
  };
  const ids =
    orders.length === 1 ? [await insertOne(session, insert)] : await insertMany(session, insert, rows);
  const inserted = orders.map((order, index) => ({ orderId: safeId(ids[index] ?? NaN), ...order }));
  insertItems(session, inserted);
  return inserted;
}

async function insertOne(session: Session, insert: Statement): Promise<number> {
  return (await session.write(insert.sql, insert.parameters)).insertId;
}

/**
 * InnoDB gives the rows of one INSERT ids in their order, `auto_increment_increment` apart. An id that is guessed wrong would
 * attach lines to another's order: so the rows are read, and must be the ones that were inserted.
 */
async function insertMany(session: Session, insert: Statement, rows: NewOrderRow[]): Promise<number[]> {
  const [, found] = await session.together([
    insert,
    {
      sql: `SELECT id, fingerprint FROM orders
             WHERE id BETWEEN LAST_INSERT_ID() AND LAST_INSERT_ID() + (? - 1) * @@auto_increment_increment
               AND (id - LAST_INSERT_ID()) % @@auto_increment_increment = 0
             ORDER BY id`,
      parameters: [rows.length],
    },
  ]);
  const inserted = found as { id: number; fingerprint: number }[];
  if (inserted.length !== rows.length || rows.some((row, index) => row[4] !== inserted[index]?.fingerprint)) {
    throw new Error(`MySQL gave ${rows.length} orders on other ids than expected, from ${inserted[0]?.id}`);
  }
  return inserted.map(({ id }) => id);
}

/** Inserts whole orders that bring their ids, together with the next statement of the session. */
export function insertOrders(session: Session, orders: Order[]): void {
  const rows = orders.map((order) => [
    order.orderId,
    order.userId,
    formatMinor(order.total),
    toDatetime(order.createdAt),
    1,
    fingerprint(order),
  ]);
  if (rows.length === 0) return;
  session.defer(`INSERT INTO orders (${ORDER_COLUMNS}) VALUES ?`, [rows]);
  insertItems(session, orders);
}

function insertItems(session: Session, orders: Order[]): void {
  const rows = orders.flatMap((order) =>
    order.lines.map((line, index) => [
      order.orderId,
      index + 1,
      line.productId,
      line.quantity,
      formatMinor(line.unitPrice),
    ]),
  );
  if (rows.length === 0) return;
  session.defer('INSERT INTO order_items (order_id, line_no, product_id, quantity, unit_price) VALUES ?', [
    rows,
  ]);
}

/** Deletes orders, together with the next statement of the session. */
export function deleteOrders(session: Session, ids: number[]): void {
  session.defer('DELETE FROM order_items WHERE order_id IN (?)', [ids]);
  session.defer('DELETE FROM orders WHERE id IN (?)', [ids]);
}

/** Notes in the row that the log now says what the row says. */
export async function markLogged(session: Session, order: Order): Promise<void> {
  await session.write('UPDATE orders SET logged = 1, fingerprint = ? WHERE id = ?', [
    fingerprint(order),
    order.orderId,
  ]);
}
