import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { errorCode, errorMessage } from '../domain/errors';
import { refuseOldMysql } from '../server-version';
import { failureOf } from './failures';
import { connectionOptions } from './pool';
import { rowsOf } from './session';
import { within } from './within';

/** Found from `src/mysql` and from `dist/mysql` alike. */
export const MIGRATIONS_DIR = join(__dirname, '..', '..', 'migrations');

/** How long one process waits while another migrates. */
const LOCK_WAIT_S = 120;
const IDLE_S = 15;
const STATEMENT_TIMEOUT_MS = 10 * 60_000;

interface Migration {
  version: number;
  name: string;
  sql: string;
  checksum: string;
}

/** A migration cannot be applied; the message says which and why. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

export interface MigrateOptions {
  directory?: string;
  /** Told the name of a database that did not exist: it may be a misspelt one. */
  onCreated?: (name: string) => void;
}

/** What to tell of a database that `migrate` created. */
export function createdMessage(name: string): string {
  return `the database ${name} of DATABASE_URL did not exist and was created: is its name spelt right?`;
}

/**
 * Brings the schema up to date and returns the names of the migrations that this call applied.
 *
 * Each file holds one statement that may be run again, since DDL commits by itself: a crash between a statement and its
 * entry in `schema_migrations` runs it once more. Processes that start together take turns under a lock that MySQL
 * releases with the connection.
 * @throws TooOld, MigrationError where an applied migration was edited, or the lock is not to be had.
 */
export async function migrate(
  databaseUrl: string,
  timeoutMs: number,
  { directory = MIGRATIONS_DIR, onCreated }: MigrateOptions = {},
): Promise<string[]> {
  const migrations = await readMigrations(directory);
  const connection = await connect(databaseUrl, timeoutMs, onCreated);
  try {
    const ask = asker(connection, timeoutMs);
    const [server] = await ask<{ version: string }>('SELECT VERSION() AS version');
    refuseOldMysql(server?.version ?? '');
    // A process that dies silently must not keep its turn for the server's eight hours.
    await ask(`SET SESSION wait_timeout = ${IDLE_S}`);
    if ((await pendingOf(ask, migrations)).length === 0) return [];
    await takeTurn(ask);
    return await applyPending(ask, migrations);
  } finally {
    connection.destroy();
  }
}

/** In many short waits, so that a server that has gone silent is noticed in the middle of them. */
async function takeTurn(ask: Ask): Promise<void> {
  const deadline = performance.now() + LOCK_WAIT_S * 1000;
  do {
    const [row] = await ask<{ granted: number }>(
      // Named after the database: two services on one server do not wait for each other. Names have 64 characters.
      `SELECT GET_LOCK(CONCAT('tally:', LEFT(SHA2(DATABASE(), 256), 40)), 1) AS granted`,
    );
    if (Number(row?.granted) === 1) return;
  } while (performance.now() < deadline);
  throw new MigrationError(`another process has been migrating for ${LOCK_WAIT_S} s; nothing was changed`);
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => /^\d{4}_\w+\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (name) => {
      const sql = await readFile(join(directory, name), 'utf8');
      return {
        version: Number(name.slice(0, 4)),
        name,
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
      };
    }),
  );
}

async function connect(
  databaseUrl: string,
  timeoutMs: number,
  onCreated?: (name: string) => void,
): Promise<Connection> {
  try {
    return await createConnection(connectionOptions(databaseUrl, timeoutMs));
  } catch (error) {
    if (errorCode(error) !== 'ER_BAD_DB_ERROR') throw error;
  }
  // The database does not exist yet. Where the user may create it, set-up stays one command.
  const url = new URL(databaseUrl);
  const name = decodeURIComponent(url.pathname.slice(1));
  url.pathname = '/';
  const connection = await createConnection(connectionOptions(url.href, timeoutMs));
  try {
    const ask = asker(connection, timeoutMs);
    await ask('CREATE DATABASE IF NOT EXISTS ?? DEFAULT CHARACTER SET utf8mb4', [name]);
    await ask('USE ??', [name]);
    onCreated?.(name);
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

type Ask = <Row>(sql: string, values?: unknown[], limitMs?: number) => Promise<Row[]>;

/** Sends statements, each of which is answered within a bound. */
function asker(connection: Connection, timeoutMs: number): Ask {
  return async <Row>(sql: string, values: unknown[] = [], limitMs = timeoutMs) => {
    const [rows] = await within(limitMs, 'answer of MySQL', connection.query<RowDataPacket[]>(sql, values));
    return rowsOf<Row>(rows);
  };
}

async function applyPending(ask: Ask, migrations: Migration[]): Promise<string[]> {
  await ask(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
       version    INT UNSIGNED NOT NULL PRIMARY KEY,
       name       VARCHAR(200) NOT NULL,
       checksum   CHAR(64)     NOT NULL,
       applied_at TIMESTAMP    NOT NULL DEFAULT CURRENT_TIMESTAMP
     ) ENGINE = InnoDB DEFAULT CHARSET = ascii`,
  );
  const pending = await pendingOf(ask, migrations);
  for (const { version, name, sql, checksum } of pending) {
    try {
      await ask(sql, [], STATEMENT_TIMEOUT_MS).catch(unlessAdded);
    } catch (error) {
      if (failureOf(error) === 'unreachable') throw error;
      throw new MigrationError(`${name} failed: ${errorMessage(error)}`, { cause: error });
    }
    await ask('INSERT INTO schema_migrations (version, name, checksum) VALUES (?, ?, ?)', [
      version,
      name,
      checksum,
    ]);
  }
  return pending.map(({ name }) => name);
}

/** MySQL has no `ADD COLUMN IF NOT EXISTS`: a column that is there was added before a crash. @throws any other error. */
function unlessAdded(error: unknown): void {
  if (errorCode(error) !== 'ER_DUP_FIELDNAME') throw error;
}

/** The migrations that were not applied yet. @throws MigrationError where one that was is another by now. */
async function pendingOf(ask: Ask, migrations: Migration[]): Promise<Migration[]> {
  const rows = await ask<{ version: number; checksum: string }>(
    'SELECT version, checksum FROM schema_migrations',
  ).catch((error: unknown) => {
    if (errorCode(error) === 'ER_NO_SUCH_TABLE') return [];
    throw error;
  });
  const applied = new Map(rows.map((row) => [row.version, row.checksum]));

  const edited = migrations.filter(
    ({ version, checksum }) => (applied.get(version) ?? checksum) !== checksum,
  );
  if (edited.length > 0) {
    const names = edited.map(({ name }) => name).join(', ');
    throw new MigrationError(
      `${names}: not what was applied to this database. Either the files were edited (restore them, and add a new one), ` +
        'or another commit made the database',
    );
  }

  return migrations.filter(({ version }) => !applied.has(version));
}
