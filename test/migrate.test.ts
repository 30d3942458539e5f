import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { migrate, MigrationError, MIGRATIONS_DIR } from '../src/mysql/migrate';
import { newPlace, type Place } from './support/place';

const ROOT = join(__dirname, '..');
const MIGRATIONS = readdirSync(MIGRATIONS_DIR).length;

let place: Place;

beforeEach(async () => {
  place = await newPlace();
});

afterEach(async () => {
  await place.close();
});

async function tables(): Promise<string[]> {
  const [rows] = await place.sql.query<RowDataPacket[]>(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  return rows.map((row) => String(row.name)).sort();
}

const ALL_TABLES = [
  'access_events',
  'access_version',
  'api_keys',
  'ended_sessions',
  'event_head',
  'identities',
  'login_failures',
  'order_events',
  'order_items',
  'orders',
  'passwords',
  'principals',
  'products',
  'schema_migrations',
  'users',
];

test('20 processes that start at once migrate once', async () => {
  const script = `require('./src/mysql/migrate').migrate(process.env.DATABASE_URL, 30000).then((done) => console.log(done.length))`;
  const run = async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], {
      cwd: ROOT,
      env: { ...process.env, ...place.env },
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    const [code] = await once(child, 'close');
    return { code, output: output.trim() };
  };
  const results = await Promise.all(Array.from({ length: 20 }, run));
  expect(results.filter(({ code }) => code !== 0)).toEqual([]);
  expect(results.map(({ output }) => Number(output)).sort((a, b) => a - b)).toEqual([
    ...Array(19).fill(0),
    MIGRATIONS,
  ]);
  expect(await tables()).toEqual(ALL_TABLES);
}, 120_000);

test('a crash between a statement and its entry runs the statement again', async () => {
  await migrate(place.config.DATABASE_URL, 5000);
  const [before] = await place.sql.query<RowDataPacket[]>('SELECT HEX(log_id) AS id FROM event_head');
  await place.sql.query('DELETE FROM schema_migrations');
  expect(await migrate(place.config.DATABASE_URL, 5000)).toHaveLength(MIGRATIONS);
  const [after] = await place.sql.query<RowDataPacket[]>('SELECT HEX(log_id) AS id FROM event_head');
  expect(after).toEqual(before);
  expect(await migrate(place.config.DATABASE_URL, 5000)).toEqual([]);
});

test('an edited migration is an error, and a database that does not exist is created', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-migrations-'));
  try {
    await cp(MIGRATIONS_DIR, directory, { recursive: true });
    await place.sql.query(`DROP DATABASE ${place.prefix}`);
    await migrate(place.config.DATABASE_URL, 5000, { directory });
    await writeFile(join(directory, '0001_users.sql'), 'SELECT 1');
    const again = migrate(place.config.DATABASE_URL, 5000, { directory });
    await expect(again).rejects.toThrow(MigrationError);
    await expect(again).rejects.toThrow('0001_users.sql: not what was applied');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a migration that fails says which one, and what came before it stays', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-migrations-'));
  try {
    await writeFile(join(directory, '0001_good.sql'), 'CREATE TABLE IF NOT EXISTS good (id INT)');
    await writeFile(join(directory, '0002_bad.sql'), 'CREATE TABL bad (id INT)');
    await expect(migrate(place.config.DATABASE_URL, 5000, { directory })).rejects.toThrow(
      '0002_bad.sql failed',
    );
    expect(await tables()).toEqual(['good', 'schema_migrations']);
  } finally {
    await rm(directory, { recursive: true });
  }
});
