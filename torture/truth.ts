import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { PlainShop } from './plain-model';

/** An event as it stands in the log. */
export interface LogEvent {
  position: number;
  commandId: string;
  type: string;
  payload: {
    order_id: number;
    user_id: number;
    product_id: number;
    name: string;
    sku: string;
    total_amount: string;
    created_at: string;
    items: { product_id: number; quantity: number; unit_price: string }[];
  };
}

/** Everything that MySQL says at one moment. */
export interface Truth {
  shop: PlainShop;
  events: LogEvent[];
  head: { position: number; tip: string | null };
}

/** Reads the tables, and the log from `afterPosition` on, in one snapshot. */
export async function readTruth(sql: Connection, afterPosition = 0): Promise<Truth> {
  await sql.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  await sql.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
  try {
    const rows = async (query: string) => (await sql.query<RowDataPacket[]>(query))[0];
    const shop: PlainShop = { users: new Map(), products: new Map(), orders: new Map() };
    for (const { id, name } of await rows('SELECT id, name FROM users')) shop.users.set(id, { name });
    for (const { id, name, sku } of await rows('SELECT id, name, sku FROM products')) {
      shop.products.set(id, { name, sku });
    }
    for (const { id, user_id, created_at } of await rows('SELECT id, user_id, created_at FROM orders')) {
      const createdAt = `${created_at.replace(' ', 'T')}Z`;
      shop.orders.set(id, { id, userId: user_id, createdAt, lines: [] });
    }
    for (const item of await rows('SELECT * FROM order_items ORDER BY order_id, line_no')) {
      const line = {
        productId: item.product_id,
        quantity: item.quantity,
        unitCents: cents(item.unit_price),
      };
      shop.orders.get(item.order_id)?.lines.push(line);
    }
    const log = await rows(
      `SELECT position, LOWER(HEX(command_id)) AS commandId, type, payload FROM order_events
        WHERE position > ${afterPosition} ORDER BY position`,
    );
    const [head] = await rows('SELECT position, LOWER(HEX(tip)) AS tip FROM event_head');
    return {
      shop,
      events: log.map(({ position, commandId, type, payload }) => ({
        position,
        commandId,
        type,
        payload: JSON.parse(payload),
      })),
      head: { position: head?.position, tip: head?.tip },
    };
  } finally {
    await sql.query('ROLLBACK');
  }
}

/** "45.99" → 4599. */
export function cents(decimal: string): number {
  return Number(decimal.replace('.', ''));
}
