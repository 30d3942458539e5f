/**
 * Orders into MySQL as fast as it takes them: multi-row statements, 256 orders with their lines a transaction, without
 * HTTP, validation, prices or Redis. `--logged` also writes the log that Tally keeps: a row with the order as JSON for each
 * order, and the head, under its lock. Prints `{"orders": …, "seconds": …}`.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { PoolConnection, ResultSetHeader } from 'mysql2/promise';
import { openPool } from './environment';

const ORDERS_PER_TRANSACTION = 256;

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '5' },
    users: { type: 'string', default: '1' },
    products: { type: 'string', default: '1' },
    logged: { type: 'boolean', default: false },
  },
});

function anyUser(): number {
  return 1 + Math.floor(Math.random() * Number(values.users));
}

/** By Zipf's law, as far as a formula goes. */
function anyProduct(): number {
  return Math.floor(Number(values.products) ** Math.random());
}

type Row = (string | number | Buffer | null)[];

async function insertBatch(connection: PoolConnection): Promise<void> {
  const now = new Date().toISOString();
  const createdAt = now.slice(0, -1).replace('T', ' ');
  const orders: Row[] = Array.from({ length: ORDERS_PER_TRANSACTION }, () => [
    anyUser(),
    '91.98',
    createdAt,
    1,
    0,
  ]);
  await connection.query('START TRANSACTION');
  const [{ insertId }] = await connection.query<ResultSetHeader>(
    'INSERT INTO orders (user_id, total_amount, created_at, logged, fingerprint) VALUES ?',
    [orders],
  );
  const items: Row[] = orders.flatMap((_, index) => [
    [insertId + index, 1, anyProduct(), 1, '45.99'],
    [insertId + index, 2, anyProduct(), 1, '45.99'],
  ]);
  await connection.query(
    'INSERT INTO order_items (order_id, line_no, product_id, quantity, unit_price) VALUES ?',
    [items],
  );
  if (values.logged) await appendToLog(connection, orders, insertId, items, now);
  await connection.query('COMMIT');
}

async function appendToLog(
  connection: PoolConnection,
  orders: Row[],
  firstId: number,
  items: Row[],
  now: string,
): Promise<void> {
  const ids = orders.map(() => randomBytes(16));
  const rows: Row[] = orders.map(([userId], index) => [
    index + 1,
    ids[index] ?? null,
    null,
    'OrderCreated',
    firstId + index,
    JSON.stringify([
      userId,
      items
        .slice(2 * index, 2 * index + 2)
        .map(([, , productId, quantity, price]) => [
          productId,
          quantity,
          Number(String(price).replace('.', '')),
        ]),
    ]),
    now.slice(0, -1).replace('T', ' '),
  ]);
  await connection.query('SELECT position INTO @h FROM event_head WHERE id = 1 FOR UPDATE');
  await connection.query(
    `INSERT INTO order_events (position, event_id, request_hash, type, subject_id, payload, occurred_at)
     VALUES ${rows.map(() => '(@h + ?, ?, ?, ?, ?, ?, ?)').join(', ')}`,
    rows.flat(),
  );
  await connection.query(
    'UPDATE event_head SET position = @h + ?, event_id = ?, orders_live = orders_live + ? WHERE id = 1',
    [rows.length, ids.at(-1), rows.length],
  );
}

async function main(): Promise<void> {
  const connections = Number(values.connections);
  const pool = openPool({ connectionLimit: connections });
  const startedAt = performance.now();
  const endsAt = startedAt + Number(values.seconds) * 1000;
  let orders = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = await pool.getConnection();
      while (performance.now() < endsAt) {
        await insertBatch(connection);
        orders += ORDERS_PER_TRANSACTION;
      }
      connection.release();
    }),
  );
  console.log(JSON.stringify({ orders, seconds: (performance.now() - startedAt) / 1000 }));
  await pool.end();
}

void main();
