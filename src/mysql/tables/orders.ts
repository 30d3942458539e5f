import type { EventOf } from '../../domain/events';
import { orderId, productId, userId, type OrderId } from '../../domain/ids';
import { formatMinor, minorFromDecimal } from '../../domain/money';
import { fingerprint, type Order, type OrderContent, type OrderLine } from '../../domain/order';
import { both, mapQuery, select, type Query, type Session, type Statement } from '../session';
import { fromDatetime, toDatetime } from '../time';
import { HIGHEST_ID, insertedId, SET_INSERTED } from './inserted';

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
const ITEM_COLUMNS = 'order_id, line_no, product_id, quantity, unit_price';
const SELECT_ITEMS = 'SELECT order_id, product_id, quantity, unit_price FROM order_items';

/** What the rows of an order say, as the event that would create it. */
export function statedByOrder({ order }: StoredOrder): EventOf<'OrderCreated'> {
  return { type: 'OrderCreated', order };
}

/**
 * The next orders by id, of at most `limit` rows, as this session sees them: one page of a scan over all orders. Orders of
 * other programs with ids beyond 2^53, which JSON cannot state, are left out; they are never reconciled.
 * @returns also the id after which to go on, undefined at the end: a page may hold nothing but orders that are left out.
 */
export async function readOrdersAfter(
  session: Session,
  afterId: number,
  limit: number,
): Promise<{ orders: StoredOrder[]; lastId: number | undefined }> {
  const rows = await session.rows<OrderRow>(
    `SELECT ${ORDER_COLUMNS} FROM orders WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`,
    [afterId, Number.MAX_SAFE_INTEGER, limit],
  );
  const first = rows[0];
  const last = rows.at(-1);
  if (first === undefined || last === undefined) return { orders: [], lastId: undefined };
  const items = await session.rows<ItemRow>(
    `${SELECT_ITEMS} WHERE order_id BETWEEN ? AND ? ORDER BY order_id, line_no`,
    [first.id, last.id],
  );
  return { orders: assemble(rows, items), lastId: last.id };
}

/** The orders with these ids. */
export function ordersById(ids: OrderId[]): Query<StoredOrder[]> {
  return mapQuery(ordersWithItems(ids, ''), ([rows, items]) => assemble(rows, items));
}

/**
 * Which of these orders exist, and those that nobody else has locked, locked until the transaction ends. One of another
 * program whose user or product has an id beyond 2^53 is in neither: no report knows it.
 */
export interface LockedOrders {
  existing: ReadonlySet<OrderId>;
  free: ReadonlyMap<OrderId, StoredOrder>;
}

/** Locks those of the orders that are free, and waits for none. */
export function lockOrders(ids: OrderId[]): Query<LockedOrders> {
  const existing = select<{ id: number }>('SELECT id FROM orders WHERE id IN (?)', [ids]);
  return mapQuery(
    both(existing, ordersWithItems(ids, 'FOR UPDATE SKIP LOCKED')),
    ([found, [rows, items]]) => {
      const free = new Map(assemble(rows, items).map((stored) => [stored.order.orderId, stored]));
      const leftOut = new Set(rows.map(({ id }) => orderId(id)).filter((id) => !free.has(id)));
      return { existing: new Set(found.map(({ id }) => orderId(id)).filter((id) => !leftOut.has(id))), free };
    },
  );
}

/** In ascending order of id, as every writer locks them, so that two writers cannot wait for each other. */
function ordersWithItems(ids: OrderId[], lock: string): Query<[OrderRow[], ItemRow[]]> {
  return both(
    select(`SELECT ${ORDER_COLUMNS} FROM orders WHERE id IN (?) ORDER BY id ${lock}`, [ids]),
    select(`${SELECT_ITEMS} WHERE order_id IN (?) ORDER BY order_id, line_no`, [ids]),
  );
}

/** Both lists are in ascending order of the order's id. Orders with ids beyond 2^53 are left out. */
function assemble(rows: OrderRow[], items: ItemRow[]): StoredOrder[] {
  let next = 0;
  return rows.flatMap((row) => {
    const own: ItemRow[] = [];
    for (let item = items[next]; item !== undefined && item.order_id <= row.id; item = items[++next]) {
      if (item.order_id === row.id) own.push(item);
    }
    if (![row.user_id, ...own.map((item) => item.product_id)].every(Number.isSafeInteger)) return [];
    const order: Order = {
      orderId: orderId(row.id),
      userId: userId(row.user_id),
      total: minorFromDecimal(row.total_amount),
      createdAt: fromDatetime(row.created_at),
      lines: own.map(lineOf),
    };
    return [{ order, asLogged: row.logged === 1 && row.fingerprint === fingerprint(order) }];
  });
}

function lineOf(item: ItemRow): OrderLine {
  const { product_id, quantity, unit_price } = item;
  return { productId: productId(product_id), quantity, unitPrice: minorFromDecimal(unit_price) };
}

/** Inserts orders, which get their ids from MySQL, and their lines (see inserted.ts). */
export function insertNewOrders(orders: OrderContent[]): Statement[] {
  const fingerprints = orders.map(fingerprint);
  const rows = orders.map((order, index) => [...contentOf(order), 1, fingerprints[index] ?? 0]);
  return [
    {
      sql: 'INSERT INTO orders (user_id, total_amount, created_at, logged, fingerprint) VALUES ?',
      parameters: [rows],
    },
    orders.length === 1 ? { sql: SET_INSERTED } : setInsertedOf(fingerprints),
    insertItems(orders.map(({ lines }, index) => [insertedId(index), lines])),
  ];
}

/**
 * After an INSERT of several orders. Lines must never be attached to another's order: so `@inserted` is the first id only
 * where the rows at all the computed ids are the ones that were inserted, by their fingerprints.
 */
function setInsertedOf(fingerprints: number[]): Statement {
  return {
    sql: `SET @inserted = (
            SELECT IF(GROUP_CONCAT(fingerprint ORDER BY id) = ? AND MAX(id) <= ${HIGHEST_ID}, LAST_INSERT_ID(), NULL)
              FROM orders
             WHERE id BETWEEN LAST_INSERT_ID() AND LAST_INSERT_ID() + (? - 1) * @@auto_increment_increment
               AND (id - LAST_INSERT_ID()) % @@auto_increment_increment = 0)`,
    parameters: [fingerprints.join(','), fingerprints.length],
  };
}

/** Inserts whole orders that bring their ids. */
export function insertOrders(orders: Order[]): Statement[] {
  const rows = orders.map((order) => [order.orderId, ...contentOf(order), 1, fingerprint(order)]);
  return [
    { sql: `INSERT INTO orders (${ORDER_COLUMNS}) VALUES ?`, parameters: [rows] },
    insertItems(orders.map(({ orderId, lines }) => [String(orderId), lines])),
  ];
}

function contentOf({ userId, total, createdAt }: OrderContent): [number, string, string] {
  return [userId, formatMinor(total), toDatetime(createdAt)];
}

/** The lines of orders, each with the SQL of its order's id. All else is numbers: so many are slow as parameters. */
function insertItems(orders: [id: string, lines: OrderLine[]][]): Statement {
  const rows = orders.flatMap(([id, lines]) =>
    lines.map(
      ({ productId, quantity, unitPrice }, index) =>
        `(${id}, ${index + 1}, ${productId}, ${quantity}, ${formatMinor(unitPrice)})`,
    ),
  );
  return { sql: `INSERT INTO order_items (${ITEM_COLUMNS}) VALUES ${rows.join(', ')}` };
}

export function deleteOrders(ids: OrderId[]): Statement[] {
  return [
    { sql: 'DELETE FROM order_items WHERE order_id IN (?)', parameters: [ids] },
    { sql: 'DELETE FROM orders WHERE id IN (?)', parameters: [ids] },
  ];
}

/** Notes in the row that the log now says what the row says. */
export function markLogged(order: Order): Statement {
  return {
    sql: 'UPDATE orders SET logged = 1, fingerprint = ? WHERE id = ?',
    parameters: [fingerprint(order), order.orderId],
  };
}
