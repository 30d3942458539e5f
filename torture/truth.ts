import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { PlainOrder, PlainShop } from './plain-model';

/** An event as it stands in the log. */
export interface LogEvent {
  position: number;
  eventId: string;
  type: string;
  /** The order, product or user that it is about. */
  subjectId: number;
  /** What an event about an order says. */
  order?: PlainOrder;
  /** What an event about a product or a user says; '' where it says nothing. */
  name: string;
  sku: string;
}

/** What the log adds up to. */
export interface LogSums {
  orders: number;
  products: number;
  users: number;
  units: number;
  revenue: number;
}

export interface Head {
  logId: string;
  position: number;
  eventId: string | null;
  sums: LogSums;
}

/** Everything that MySQL says at one moment. */
export interface Truth {
  shop: PlainShop;
  /** What each order's own row says that it costs, in cents. */
  rowTotals: Map<number, number>;
  events: LogEvent[];
  head: Head;
}

/** Reads the tables, and the log from `afterPosition` on, in one snapshot. */
export async function readTruth(sql: Connection, afterPosition = 0): Promise<Truth> {
  await sql.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  await sql.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
  try {
    const rows = async (query: string) => (await sql.query<RowDataPacket[]>(query))[0];
    const log = await rows(
      `SELECT position, LOWER(HEX(event_id)) AS event_id, type, subject_id, payload, occurred_at FROM order_events
        WHERE position > ${afterPosition} ORDER BY position`,
    );
    return { ...(await readTables(rows)), events: log.map(eventOf), head: await readHead(rows) };
  } finally {
    await sql.query('ROLLBACK');
  }
}

type Rows = (query: string) => Promise<RowDataPacket[]>;

async function readTables(rows: Rows): Promise<Pick<Truth, 'shop' | 'rowTotals'>> {
  const shop: PlainShop = { users: new Map(), products: new Map(), orders: new Map() };
  const rowTotals = new Map<number, number>();
  for (const { id, name } of await rows('SELECT id, name FROM users')) shop.users.set(id, { name });
  for (const { id, name, sku } of await rows('SELECT id, name, sku FROM products')) {
    shop.products.set(id, { name, sku });
  }
  for (const row of await rows('SELECT id, user_id, total_amount, created_at FROM orders')) {
    shop.orders.set(row.id, {
      id: row.id,
      userId: row.user_id,
      createdAt: instant(row.created_at),
      lines: [],
    });
    rowTotals.set(row.id, cents(row.total_amount));
  }
  for (const item of await rows('SELECT * FROM order_items ORDER BY order_id, line_no')) {
    const { order_id: orderId, product_id: productId, quantity, unit_price: price } = item;
    shop.orders.get(orderId)?.lines.push({ productId, quantity, unitCents: cents(price) });
  }
  return { shop, rowTotals };
}

async function readHead(rows: Rows): Promise<Head> {
  const [head] = await rows(
    `SELECT LOWER(HEX(log_id)) AS logId, position, LOWER(HEX(event_id)) AS eventId,
            orders_live AS orders, products_live AS products, users_live AS users, units, revenue_minor AS revenue
       FROM event_head`,
  );
  if (head === undefined) throw new Error('the log has no head');
  const { logId, position, eventId, orders, products, users, units, revenue } = head;
  return { logId, position, eventId, sums: { orders, products, users, units, revenue } };
}

function eventOf(row: RowDataPacket): LogEvent {
  const { position, event_id: eventId, type, subject_id: subjectId, occurred_at: occurredAt } = row;
  const payload: unknown = JSON.parse(row.payload);
  const event = { position, eventId, type, subjectId, name: '', sku: '' };
  if (type === 'OrderCreated' || type === 'OrderDeleted') {
    const [userId, lines, createdMs] = payload as [number, [number, number, number][], number?];
    return {
      ...event,
      order: {
        id: subjectId,
        userId,
        createdAt: createdMs === undefined ? instant(occurredAt) : new Date(createdMs).toISOString(),
        lines: lines.map(([productId, quantity, unitCents]) => ({ productId, quantity, unitCents })),
      },
    };
  }
  const [name = '', sku = ''] = payload as string[];
  return { ...event, name, sku };
}

/** "2026-11-21 09:30:00.123" → the same instant as the API writes it. */
function instant(datetime: string): string {
  return `${datetime.replace(' ', 'T')}Z`;
}

/** "45.99" → 4599. */
function cents(decimal: string): number {
  return Number(decimal.replace('.', ''));
}
