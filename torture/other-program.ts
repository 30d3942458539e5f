import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import type { Random } from './random';
import type { Stage } from './stage';

/** Of the catalogue that a run begins with; see `clients.ts`. */
const SOME_USER = 1;
const SOME_PRODUCT = 2;

/** What it ordered itself; it touches no other order, since those are the clients'. */
const own = new WeakMap<Stage, number[]>();

/** A program that knows nothing of Tally and of its log writes into the same tables. */
export async function writeAsAnotherProgram(stage: Stage, random: Random): Promise<string | undefined> {
  const ids = own.get(stage) ?? [];
  own.set(stage, ids);
  const sql = await stage.connect().catch(() => undefined); // MySQL is away: so it is for everybody
  if (sql === undefined) return undefined;
  try {
    const done: string[] = [];
    for (let step = random.int(1, 4); step > 0; step--) {
      await sql.beginTransaction();
      done.push(await writeSomething(sql, random, ids));
      await sql.commit();
    }
    return done.join(', ');
  } catch {
    return undefined; // it lost its connection or a lock, and gives up
  } finally {
    sql.destroy();
  }
}

async function writeSomething(sql: Connection, random: Random, ids: number[]): Promise<string> {
  const what = random.pick(['insert', 'insert', 'change', 'delete', 'rename'] as const);
  if (what === 'rename') {
    await sql.query('UPDATE products SET name = ? WHERE id = ?', [
      `Renamed ${random.int(1, 999)}`,
      SOME_PRODUCT,
    ]);
    return 'renamed a product';
  }
  if (what === 'insert' || ids.length === 0) {
    const [{ insertId }] = await sql.query<ResultSetHeader>(
      'INSERT INTO orders (user_id, total_amount, created_at) VALUES (?, 0, ?)',
      [SOME_USER, daysAgo(random.int(1, 300))],
    );
    await sql.query('INSERT INTO order_items VALUES (?, 1, ?, ?, 2.50)', [
      insertId,
      SOME_PRODUCT,
      random.int(1, 9),
    ]);
    await setTotal(sql, insertId);
    ids.push(insertId);
    return `inserted order ${insertId}`;
  }
  const id = random.pick(ids);
  const [found] = await sql.query<RowDataPacket[]>('SELECT id FROM orders WHERE id = ? FOR UPDATE', [id]);
  if (found.length === 0) return `order ${id} is gone`;
  if (what === 'change') {
    await sql.query('UPDATE order_items SET quantity = quantity + ? WHERE order_id = ?', [
      random.int(1, 5),
      id,
    ]);
    await setTotal(sql, id);
    return `changed order ${id}`;
  }
  await sql.query('DELETE FROM order_items WHERE order_id = ?', [id]);
  await sql.query('DELETE FROM orders WHERE id = ?', [id]);
  return `deleted order ${id}`;
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
