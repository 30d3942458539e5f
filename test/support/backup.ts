import type { Pool, RowDataPacket } from 'mysql2/promise';

const TABLES = ['users', 'products', 'orders', 'order_items', 'order_events', 'event_head'];

export type Backup = Map<string, RowDataPacket[]>;

/** All rows of Tally's tables. */
export async function backUp(sql: Pool): Promise<Backup> {
  const backup: Backup = new Map();
  for (const table of TABLES)
    backup.set(table, (await sql.query<RowDataPacket[]>(`SELECT * FROM ${table}`))[0]);
  return backup;
}

/** Replaces what a database holds by a backup, of itself or of another one. */
export async function restore(sql: Pool, backup: Backup): Promise<void> {
  const connection = await sql.getConnection();
  try {
    await connection.query('START TRANSACTION');
    for (const table of TABLES.toReversed()) await connection.query(`DELETE FROM ${table}`);
    for (const table of TABLES) {
      const rows = backup.get(table) ?? [];
      if (rows.length > 0)
        await connection.query(`INSERT INTO ${table} VALUES ?`, [rows.map((row) => Object.values(row))]);
    }
    await connection.query('COMMIT');
  } finally {
    connection.release();
  }
}
