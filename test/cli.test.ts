import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { mysqlClient, redisClient } from '../dev/clients';
import { defaultSearchPath, findProgram, quoted } from '../dev/command';
import { startServers } from '../dev/servers';
import { refuseOldMysql, refuseOldRedis } from '../src/server-version';
import { runCli } from './support/cli';
import { privateRedis } from './support/private-redis';
import { caughtUp, newPlace, startTally, until, type Place } from './support/tally';

const ROOT = join(__dirname, '..');

let place: Place;

beforeEach(async () => {
  place = await newPlace();
});

afterEach(async () => {
  await place.close();
});

const run = (args: string[], overrides: Record<string, string> = {}) =>
  runCli(args, { ...place.env, ...overrides });

test('a wrong setting is told before any server is started', () => {
  const dataDir = join(tmpdir(), `tally-wrong-${process.pid}`);
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'dev/start.ts', '--data-dir', dataDir],
    {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 30_000,
      env: { PATH: process.env.PATH, MAX_CONNECTIONS: 'many' },
    },
  );
  expect([status, stderr]).toEqual([
    1,
    'the configuration is not usable:\n  MAX_CONNECTIONS: must be a whole number in digits\n',
  ]);
  expect(existsSync(dataDir)).toBe(false);
});

test('a mistyped command is told so where no servers run, too', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'dev/tally.ts', '--data-dir', join(tmpdir(), 'tally-nowhere'), 'stauts'],
    { cwd: ROOT, encoding: 'utf8', timeout: 30_000, env: { PATH: process.env.PATH } },
  );
  expect([status, stderr]).toEqual([1, expect.stringContaining("unknown command 'stauts'")]);
});

test.each(['src/main.ts', 'dev/start.ts', 'dev/tally.ts'])(
  '%s refuses an old Node in one sentence',
  (file) => {
    const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });`;
    const script = `${old} process.argv = [process.argv[0], '${join(ROOT, file)}', 'status']; require(process.argv[1])`;
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '-e', script], {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(stderr).toMatch(/^Tally needs Node 20\.\d+\.\d+ or later; this is Node 18\.20\.4\.\n$/);
    expect(status).toBe(1);
  },
);

test.each([
  [
    refuseOldMysql,
    '5.5.5-10.5.9-MariaDB-log',
    'MariaDB 10.5.9 is too old: Tally needs MariaDB 10.6 or later.',
  ],
  [refuseOldMysql, '5.7.44', 'MySQL 5.7.44 is too old: Tally needs MySQL 8.0 or later.'],
  [refuseOldMysql, '10.11.19-MariaDB', undefined],
  [refuseOldMysql, '8.0.11', undefined],
  [refuseOldRedis, 'redis_version:6.2.14\r\n', 'Redis 6.2.14 is too old: Tally needs Redis 7.0 or later.'],
  [refuseOldRedis, 'redis_version:7.2.4\r\nvalkey_version:7.0.1\r\n', 'Valkey 7.0.1 is too old'],
  [refuseOldRedis, 'redis_version:7.2.4\r\nvalkey_version:8.1.0\r\n', undefined],
  [refuseOldRedis, 'redis-check-rdb 7.0.15', undefined],
])('server versions: %p %s', (refuse, version, message) => {
  if (message === undefined) expect(() => refuse(version)).not.toThrow();
  else expect(() => refuse(version)).toThrow(message);
});

test('a MariaDB that is too old is refused by service and commands', async () => {
  const bin = await mkdtemp(join(tmpdir(), 'tally-bin-'));
  const real = findProgram(defaultSearchPath(process.env), 'mariadbd');
  // MariaDB says what it is told to say.
  const script = `#!/bin/sh\n[ "$*" = --version ] && exit\nexec ${real} "$@" --version=10.3.39-MariaDB\n`;
  await writeFile(join(bin, 'mariadbd'), script, { mode: 0o755 });
  const { databaseUrl, stop } = await startServers({
    env: { PATH: process.env.PATH, REDIS_URL: place.env.REDIS_URL },
    searchPath: [bin, ...defaultSearchPath(process.env)],
    allowInstall: false,
    log: () => undefined,
  });
  try {
    for (const command of ['serve', 'migrate', 'repair', 'status']) {
      expect(await run([command], { DATABASE_URL: databaseUrl })).toEqual({
        exitCode: 1,
        output: 'MariaDB 10.3.39 is too old: Tally needs MariaDB 10.6 or later.',
      });
    }
  } finally {
    await stop();
    await rm(bin, { recursive: true });
  }
});

/** Answers as a Redis of this version would; everything but its version is OK. */
async function redisOfVersion(version: string, port = 0) {
  const info = `redis_version:${version}\r\nloading:0\r\n`;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (data) => {
      for (const [, name] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        if (name?.toLowerCase() === 'info') socket.write(`$${info.length}\r\n${info}\r\n`);
        else socket.write(name?.toLowerCase() === 'hello' ? '%1\r\n+server\r\n+redis\r\n' : '+OK\r\n');
      }
    });
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: address.port, close };
}

test('a Redis that is too old is refused at the start, and told of in the log where it comes later', async () => {
  const message = 'Redis 6.2.14 is too old: Tally needs Redis 7.0 or later.';
  const old = await redisOfVersion('6.2.14');
  const REDIS_URL = `redis://127.0.0.1:${old.port}`;
  for (const command of ['serve', 'repair'])
    expect(await run([command], { REDIS_URL })).toEqual({ exitCode: 1, output: message });
  old.close();

  const log: string[] = [];
  const overrides = { REDIS_URL, REDIS_TIMEOUT_MS: '100', LOG_LEVEL: 'error' };
  const tally = await startTally(place, overrides, { write: (line) => void log.push(line) });
  const late = await redisOfVersion('6.2.14', old.port);
  try {
    await until(() => log.some((line) => line.includes(message)));
  } finally {
    await tally.app.close();
    late.close();
  }
});

test('the clients get address, user and database as arguments, and the password apart', () => {
  expect(mysqlClient('mysql://me:s%20cret@db.example:3307/shop')).toMatchObject({
    args: [
      '--no-defaults',
      '--protocol=tcp',
      '--host=db.example',
      '--port=3307',
      '--user=me',
      '--database=shop',
    ],
    env: { MYSQL_PWD: 's cret' },
  });
  expect(redisClient('rediss://me:s%20cret@cache.example/2')).toMatchObject({
    args: ['-h', 'cache.example', '-p', '6379', '-n', '2', '--user', 'me', '--tls'],
    env: { REDISCLI_AUTH: 's cret' },
  });
  expect(redisClient('/run/redis.sock').args).toEqual(['-s', '/run/redis.sock']);
});

test('a printed path can be pasted into a shell', () => {
  const word = "/a path/it's $HOME";
  expect(spawnSync('sh', ['-c', `printf %s ${quoted(word)}`], { encoding: 'utf8' }).stdout).toBe(word);
  expect(quoted('/plain/path.d')).toBe('/plain/path.d');
});

test('a relative path is one of the directory in which npm was called', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-cli-'));
  try {
    await writeFile(join(directory, 'users.csv'), 'nothing');
    const { status, stderr } = spawnSync(
      'npm',
      ['--prefix', ROOT, 'run', '-s', 'tally', '--', 'import', '--dir', '.'],
      {
        cwd: directory,
        env: { ...process.env, ...place.env },
        encoding: 'utf8',
        timeout: 60_000,
      },
    );
    expect(stderr).toContain('users.csv: the first line must be id,name,email');
    expect(status).toBe(1);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a reader that stops early does not stop the command', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'dev/tally.ts', 'demo'], {
    cwd: ROOT,
    env: { ...process.env, ...place.env },
  });
  child.stdout.destroy();
  let complaint = '';
  child.stderr.on('data', (chunk) => (complaint += chunk));
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(complaint).toBe('');
  const [[row]] = await place.sql.query<RowDataPacket[]>('SELECT COUNT(*) AS orders FROM orders');
  expect(row).toEqual({ orders: 5000 });
});

test('a port that is in use is told in one sentence', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  try {
    const { port } = other.address() as AddressInfo;
    const { exitCode, output } = await run(['serve'], { PORT: String(port) });
    expect(output).toBe(
      `port ${port} of 127.0.0.1 is in use: stop the program that uses it, or choose another, as in PORT=3001`,
    );
    expect(exitCode).toBe(1);
  } finally {
    other.close();
  }
});

test.each(['verify', 'repair'])(
  '%s says that the findings cannot be written before it does anything',
  async (command) => {
    const { exitCode, output } = await run([command, '--findings', '/nowhere/x'], {
      DATABASE_URL: 'mysql://nobody/x',
    });
    expect(output).toBe('The findings cannot be written to /nowhere/x: there is no such file or directory.');
    expect(exitCode).toBe(1);
  },
);

test('a database that did not exist is named when it is created', async () => {
  await place.sql.query(`DROP DATABASE ${place.prefix}`);
  const { exitCode, output } = await run(['migrate']);
  expect(output).toMatch(`the database ${place.prefix} of DATABASE_URL did not exist and was created`);
  expect(exitCode).toBe(0);
  expect((await run(['migrate'])).output).toBe('The schema is up to date.');

  await place.sql.query(`DROP DATABASE ${place.prefix}`);
  const log: string[] = [];
  const tally = await startTally(place, { LOG_LEVEL: 'warn' }, { write: (line) => void log.push(line) });
  await tally.app.close();
  expect(log.join('')).toContain(`"msg":"the database ${place.prefix} of DATABASE_URL did not exist`);
});

test.each([
  ['no password', '', 'NOAUTH'],
  ['a wrong one', '?password=a-wrong-password-of-Redis', 'WRONGPASS'],
])('a refused password (%s) is what readiness, log and commands tell', async (_, query, code) => {
  const redis = await privateRedis();
  await redis.client.config('SET', 'requirepass', 'right');
  const log: string[] = [];
  const overrides = { REDIS_URL: redis.url + query, LOG_LEVEL: 'warn' };
  const tally = await startTally(place, overrides, { write: (line) => void log.push(line) });
  try {
    const refused = `Redis refuses the user or the password of REDIS_URL: ${code}`;
    const { body } = await tally.get('/health/ready');
    expect(body.checks.redis).toEqual({ ok: false, detail: expect.stringContaining(refused) });
    expect(log.join('')).toContain('Redis refuses the user or the password of REDIS_URL');
    const { exitCode, output } = await run(['status'], overrides);
    expect(output).toContain(refused);
    expect(exitCode).toBe(1);
  } finally {
    await tally.app.close();
    await redis.stop();
  }
});

test('after a repair, the reports contain the orders that another program wrote', async () => {
  const tally = await startTally(place, { VERIFY_INTERVAL_S: '0' });
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    const { body: user } = await tally.post('/users', { name: 'Ada', email: 'ada@example.com' });
    const { body: product } = await tally.post('/products', { name: 'Tea', sku: 'T', price: '2.50' });
    await caughtUp(place);
    await until(async () => (await tally.get('/read-model')).body.last_verification !== null);
    await tally.app.close(); // nobody but the repair brings anything to the reports

    await place.sql.query('INSERT INTO orders (id, user_id, total_amount) VALUES (9, ?, 2.50)', [
      user.user_id,
    ]);
    await place.sql.query('INSERT INTO order_items VALUES (9, 1, ?, 1, 2.50)', [product.product_id]);
    const { exitCode, output } = await run(['repair']);
    expect(output).toContain('1 change of other programs in MySQL, 1 reconciled');
    expect(exitCode).toBe(0);
    expect((await run(['status'])).output).toMatch(/lag +0 events/);
    expect(await place.redis.keys(`*${place.prefix}*:order:9`)).toHaveLength(1);
  } finally {
    await tally.app.close();
  }
});

test('without a read model, an import shows no progress towards the reports', async () => {
  const { exitCode, output } = await run(['demo']);
  expect(output).toContain('There is no read model yet');
  expect(output).not.toContain('bringing it to the reports');
  expect(exitCode).toBe(0);
});
