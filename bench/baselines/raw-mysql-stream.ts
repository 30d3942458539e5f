/**
 * All orders and their lines out of MySQL as fast as mysql2 gives them: no rebuild can be faster. As one join or as two
 * ordered queries one after the other (`--join`). Prints `{"orders": …, "seconds": …}`.
 */
import { parseArgs } from 'node:util';
import { createConnection, type Connection } from 'mysql2';
import { required } from './environment';

const JOIN = `SELECT o.id, o.user_id, o.total_amount, o.created_at, i.line_no, i.product_id, i.quantity, i.unit_price
  FROM orders o JOIN order_items i ON i.order_id = o.id ORDER BY o.id, i.line_no`;
const ORDERS = 'SELECT id, user_id, total_amount, created_at FROM orders ORDER BY id';
const ITEMS =
  'SELECT order_id, line_no, product_id, quantity, unit_price FROM order_items ORDER BY order_id, line_no';

/** Counts rows whose first column differs from that of the row before. */
function countGroups(connection: Connection, sql: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let groups = 0;
    let last: unknown;
    connection
      .query({ sql, rowsAsArray: true })
      .on('error', reject)
      .on('result', (row) => {
        const [id] = row as unknown as unknown[];
        if (id !== last) groups += 1;
        last = id;
      })
      .on('end', () => resolve(groups));
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { join: { type: 'boolean', default: false } } });
  const connection = createConnection({
    uri: required('DATABASE_URL'),
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
  });
  const startedAt = performance.now();
  let orders = 0;
  for (const sql of values.join ? [JOIN] : [ORDERS, ITEMS]) orders = await countGroups(connection, sql);
  console.log(JSON.stringify({ orders, seconds: (performance.now() - startedAt) / 1000 }));
  connection.end();
}

void main();
