import { fingerprint, type Order } from '../events';
import { formatMinor, minorFromDecimal } from '../money';
import { safeId, type Session } from './database';
import { fromDatetime, toDatetime } from './time';

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
  // In ascending order of id, as every writer takes them, so that two writers cannot wait for each other.
  const rows = await session.rows<OrderRow>(
    `SELECT ${ORDER_COLUMNS} FROM orders WHERE id IN (?) ORDER BY id FOR UPDATE`,
    [ids],
  );
  if (rows.length === 0) return new Map();
  const items = await session.rows<ItemRow>(
    `SELECT ${ITEM_COLUMNS} FROM order_items WHERE order_id IN (?) ORDER BY order_id, line_no`,
    [ids],
  );
  return new Map(assemble(rows, items).map((stored) => [stored.order.orderId, stored]));
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

/** Inserts orders and returns them with the ids that they were given, in their order. */
export async function insertNewOrders(session: Session, orders: Omit<Order, 'orderId'>[]): Promise<Order[]> {
  if (orders.length === 0) return [];
  const rows = orders.map((order) => [
    order.userId,
    formatMinor(order.total),
    toDatetime(order.createdAt),
    1,
    fingerprint(order),
  ]);
  const { insertId } = await session.write(
    'INSERT INTO orders (user_id, total_amount, created_at, logged, fingerprint) VALUES ?',
    [rows],
  );
  const ids = orders.length === 1 ? [insertId] : await readInsertedIds(session, insertId, orders);
  const inserted = orders.map((order, index) => ({ orderId: safeId(ids[index] ?? NaN), ...order }));
  await insertItems(session, inserted);
  return inserted;
}

/**
 * InnoDB gives the rows of one INSERT ids in their order, `auto_increment_increment` apart. An id that is guessed wrong would
 * attach lines to another's order: so the rows are read, and must be the ones that were inserted.
 */
async function readInsertedIds(
  session: Session,
  firstId: number,
  orders: Omit<Order, 'orderId'>[],
): Promise<number[]> {
  const rows = await session.rows<{ id: number; fingerprint: number }>(
    `SELECT id, fingerprint FROM orders
      WHERE id BETWEEN ? AND ? + (? - 1) * @@auto_increment_increment ORDER BY id`,
    [firstId, firstId, orders.length],
  );
  const same = orders.every((order, index) => rows[index]?.fingerprint === fingerprint(order));
  if (rows.length !== orders.length || !same) {
    throw new Error(`MySQL gave ${orders.length} orders from ${firstId} on other ids than expected`);
  }
  return rows.map(({ id }) => id);
}

/** Inserts whole orders that bring their ids, with few statements. */
export async function insertOrders(session: Session, orders: Order[]): Promise<void> {
  const rows = orders.map((order) => [
    order.orderId,
    order.userId,
    formatMinor(order.total),
    toDatetime(order.createdAt),
    1,
    fingerprint(order),
  ]);
  if (rows.length === 0) return;
  await session.write(`INSERT INTO orders (${ORDER_COLUMNS}) VALUES ?`, [rows]);
  await insertItems(session, orders);
}

async function insertItems(session: Session, orders: Order[]): Promise<void> {
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
  await session.write(
    'INSERT INTO order_items (order_id, line_no, product_id, quantity, unit_price) VALUES ?',
    [rows],
  );
}

export async function deleteOrders(session: Session, ids: number[]): Promise<void> {
  await session.write('DELETE FROM order_items WHERE order_id IN (?)', [ids]);
  await session.write('DELETE FROM orders WHERE id IN (?)', [ids]);
}

/** Notes in the row that the log now says what the row says. */
export async function markLogged(session: Session, order: Order): Promise<void> {
  await session.write('UPDATE orders SET logged = 1, fingerprint = ? WHERE id = ?', [
    fingerprint(order),
    order.orderId,
  ]);
}
