import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import Redis from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { z } from 'zod';
import { defaultSearchPath, findProgram } from '../dev/command';
import { findRunningServers, holdDataLock } from '../dev/data-lock';
import { type Servers, startServers } from '../dev/servers';
import { leaks } from './support/watch';

const ROOT = path.join(__dirname, '..');
/** This test's own servers: not the ones that the whole run shares. */
const ENV = { PATH: process.env.PATH };
const REAL_PROGRAMS = defaultSearchPath(ENV);
/** No other system tells a process that its parent was killed. */
const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function tempDir(): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'launcher-test-'));
  cleanUps.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

interface Wishes {
  env?: NodeJS.ProcessEnv;
  dataDir?: string;
  allowInstall?: boolean;
  searchPath?: string[];
  log?: (line: string) => void;
  onDeath?: (message: string) => void;
}

async function launch(wishes: Wishes = {}) {
  const servers = await startServers({ env: ENV, allowInstall: false, log: () => {}, ...wishes });
  cleanUps.push(() => servers.stop());
  return servers;
}

type Urls = Pick<Servers, 'databaseUrl' | 'redisUrl'>;

async function query(urls: Urls, sql: string): Promise<RowDataPacket[]> {
  const connection = await createConnection(urls.databaseUrl);
  try {
    return (await connection.query<RowDataPacket[]>(sql))[0];
  } finally {
    await connection.end();
  }
}

async function withRedis<T>(urls: Urls, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(urls.redisUrl);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

async function expectBothAnswer(urls: Urls): Promise<void> {
  expect(await query(urls, 'SELECT DATABASE() AS name')).toEqual([{ name: 'tally' }]);
  expect(await withRedis(urls, (redis) => redis.ping())).toBe('PONG');
}

async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${String(condition)}`);
    await sleep(20);
  }
}

/** How many processes have this text in their command line; one that ended and was not reaped has none. */
function processesWith(text: string): number {
  const commandLines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return ''; // ended meanwhile
      }
    });
  return commandLines.filter((commandLine) => commandLine.includes(text)).length;
}

/** Runs a script in a process and a process group of its own, as a terminal runs `npm start`. It speaks in lines of JSON. */
function runApart(
  script: string,
  env: NodeJS.ProcessEnv = ENV,
): { child: ChildProcess; hear: () => Promise<unknown> } {
  const child = spawn(process.execPath, ['--import', 'tsx', '--eval', script], {
    cwd: ROOT,
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  cleanUps.push(() => Promise.resolve(child.kill('SIGKILL')));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, hear: async () => JSON.parse(z.string().parse((await lines.next()).value)) };
}

const urlsSchema = z.object({ databaseUrl: z.string(), redisUrl: z.string() });

const LAUNCHER = `
  const { startServers } = require('./dev/servers.ts');
  const say = (what) => console.log(JSON.stringify(what));
  const deaths = [];
  const options = { env: process.env, allowInstall: false, log() {}, onDeath: (m) => deaths.push(m) };
  process.on('SIGINT', () => say('interrupted'));
  startServers(options).then((servers) => {
    process.stdin.once('data', () => servers.stop().then(() => { say(deaths); process.exit(); }));
    say(servers);
  });`;

async function fakeProgram(dir: string, name: string, script: string): Promise<void> {
  await writeFile(path.join(dir, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('private servers', () => {
  it('answer through sockets alone, are as durable as production, and leave nothing behind', async () => {
    const lines: string[] = [];
    const servers = await launch({ log: (line) => lines.push(line) });

    await expectBothAnswer(servers);
    const settings = 'innodb_flush_log_at_trx_commit, @@sync_binlog, @@log_bin, @@skip_networking';
    const [values] = await query(servers, `SELECT @@${settings}`);
    expect(Object.values(values ?? {})).toEqual([1, 1, 1, 1]);
    const runDir = path.dirname(servers.redisUrl);
    expect(await query(servers, 'SELECT @@tmpdir AS tmpdir')).toEqual([{ tmpdir: runDir }]);
    const port = await withRedis(servers, (redis) => redis.config('GET', 'port'));
    expect(Object.values(port as object)).toContain('0');
    expect(lines).toEqual([
      expect.stringMatching(/^mysql: a private server \(.+\), because DATABASE_URL is not set$/),
      expect.stringMatching(/^redis: a private server \(.+\), because REDIS_URL is not set$/),
    ]);

    await servers.stop();
    await servers.stop();
    expect(existsSync(runDir)).toBe(false);
  });

  it('keep their data in a data directory, and redo an initialisation that was cut off', async () => {
    const dataDir = path.join(await tempDir(), 'a path with spaces');
    await mkdir(path.join(dataDir, 'mysql.tmp'), { recursive: true });
    await writeFile(path.join(dataDir, 'mysql.tmp', 'ibdata1'), 'half of it');

    const first = await launch({ dataDir });
    await query(first, 'CREATE TABLE kept (id INT PRIMARY KEY)');
    await withRedis(first, (redis) => redis.set('kept', 'yes'));
    await first.stop();

    const second = await launch({ dataDir });
    expect(await query(second, 'SELECT * FROM kept')).toEqual([]);
    expect(await withRedis(second, (redis) => redis.get('kept'))).toBe('yes');
    expect(readdirSync(dataDir).toSorted()).toEqual(['log', 'mysql', 'redis']);
    for (const directory of ['log', 'mysql', 'redis'])
      expect((await stat(path.join(dataDir, directory))).mode & 0o077).toBe(0);
  });

  it('do not notice a Ctrl-C at the terminal of their launcher', async () => {
    const { child, hear } = runApart(LAUNCHER);
    const urls = urlsSchema.parse(await hear());

    process.kill(-(child.pid ?? 0), 'SIGINT');
    expect(await hear()).toBe('interrupted');
    await expectBothAnswer(urls);
    // A server that got the signal would still answer for a moment, but has logged it by now.
    const log = await readFile(path.join(path.dirname(urls.redisUrl), 'log', 'redis.log'), 'utf8');
    expect(log).not.toContain('SIGINT');
    child.stdin?.write('stop\n');
    expect(await hear()).toEqual([]);
  });

  it('report their own death, with the place of their log', async () => {
    const deaths: string[] = [];
    const servers = await launch({ onDeath: (message) => deaths.push(message) });
    const info = await withRedis(servers, (redis) => redis.info('server'));
    process.kill(Number(/process_id:(\d+)/.exec(info)?.[1]), 'SIGKILL');
    await waitUntil(() => deaths.length > 0);
    expect(deaths).toEqual([
      expect.stringMatching(/^\S+ was ended by SIGKILL\. The last lines of its log \(\S+redis\.log\):\n/),
    ]);
  });

  it('stop when the other one does not start, whose last words are shown', async () => {
    const [dataDir, bin] = [await tempDir(), await tempDir()];
    await fakeProgram(bin, 'redis-server', 'echo cannot read my own file; exit 3');
    const launched = launch({ dataDir, searchPath: [bin, ...REAL_PROGRAMS] });
    await expect(launched).rejects.toThrow(
      `redis-server exited with code 3. The last lines of its log (${dataDir}/log/redis.log):\n  cannot read my own file`,
    );
    expect(await readFile(path.join(dataDir, 'log', 'mysql.log'), 'utf8')).toContain('Shutdown complete');
  });
});

describe('a server that cannot be used', () => {
  it.each([
    [
      'mariadbd',
      'mariadbd  Ver 10.3.39-MariaDB for debian',
      'MariaDB 10.3.39 is too old: Tally needs MariaDB 10.6',
    ],
    [
      'redis-server',
      'Redis server v=6.2.14 sha=0 malloc=libc',
      'Redis 6.2.14 is too old: Tally needs Redis 7.0',
    ],
  ])('is not started where it is too old: %s', async (name, version, message) => {
    const bin = await tempDir();
    await fakeProgram(bin, name, `echo '${version}'; [ "$*" = --version ]`);
    const launched = launch({ searchPath: [bin, ...REAL_PROGRAMS] });
    await expect(launched).rejects.toThrow(`${path.join(bin, name)}: ${message} or later.`);
  });

  it('has its errors shown, and not the stack that it prints when it aborts', async () => {
    const bin = await tempDir();
    const stack = 'for n in $(seq 40); do echo "mariadbd(frame+$n)"; done';
    await fakeProgram(
      bin,
      'mariadbd',
      `[ "$*" = --version ] && exit
echo '2026-11-28 [ERROR] InnoDB: The disk is full'; ${stack}; kill -ABRT $$`,
    );
    await fakeProgram(bin, 'mariadb-install-db', 'exit 0');
    const launched = launch({ dataDir: await tempDir(), searchPath: [bin, ...REAL_PROGRAMS] });
    await expect(launched).rejects.toThrow(
      /^mariadbd was ended by SIGABRT\. The disk is full\. The last errors in its log \(\S+\):\n {2}\S+ \[ERROR\] InnoDB: The disk is full$/,
    );
  });
});

describeOnLinux('a launcher that is killed', () => {
  it('takes its servers with it, and the next one removes its directory', async () => {
    // In a directory for temporary files that no launcher of another test cleans up.
    const env = { ...ENV, TMPDIR: await tempDir() };
    const { child, hear } = runApart(LAUNCHER, env);
    const urls = urlsSchema.parse(await hear());
    const runDir = path.dirname(urls.redisUrl);
    await expectBothAnswer(urls);
    expect(processesWith(runDir)).toBe(2);

    child.kill('SIGKILL');
    await waitUntil(() => processesWith(runDir) === 0 && child.signalCode !== null);
    expect(existsSync(runDir)).toBe(true);
    const next = runApart(LAUNCHER, env);
    await next.hear();
    expect(existsSync(runDir)).toBe(false);
    next.child.stdin?.write('stop\n');
    expect(await next.hear()).toEqual([]);
  });
});

describe('the choice of servers', () => {
  it('starts nothing where the environment names both', async () => {
    const dataDir = path.join(await tempDir(), 'never-made');
    const env = { ...ENV, DATABASE_URL: 'mysql://elsewhere/tally', REDIS_URL: 'redis://elsewhere' };
    const servers = await launch({ env, dataDir, searchPath: [] });
    expect(servers).toMatchObject({ databaseUrl: env.DATABASE_URL, redisUrl: env.REDIS_URL });
    await servers.stop();
    expect(existsSync(dataDir)).toBe(false);
  });

  it('takes Docker Compose where programs are missing and an engine answers', async () => {
    const bin = await tempDir();
    const calls = path.join(bin, 'calls');
    await fakeProgram(bin, 'docker', `echo "$@" >> ${calls}`);
    const servers = await launch({ searchPath: [bin] });
    expect(servers.databaseUrl).toBe('mysql://root:tally@127.0.0.1:3306/tally');
    expect(servers.redisUrl).toBe('redis://127.0.0.1:6379');
    await servers.stop();
    const said = (await readFile(calls, 'utf8')).replaceAll(`--file ${ROOT}/docker-compose.yml `, '');
    expect(said.trim().split('\n').toSorted()).toEqual([
      'compose stop mysql',
      'compose stop redis',
      'compose up -d --wait mysql',
      'compose up -d --wait redis',
      'compose version',
      'info',
    ]);
  });

  it('names the command to type where it may not install, and Docker has no engine', async () => {
    const bin = await tempDir();
    await fakeProgram(bin, 'docker', 'exit 1');
    await fakeProgram(bin, 'apt-get', 'exit 1');
    const command =
      'apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core redis-tools';
    await expect(launch({ searchPath: [bin] })).rejects.toThrow(command);
    const env = { ...ENV, DATABASE_URL: 'mysql://elsewhere/tally' };
    await expect(launch({ env, searchPath: [bin] })).rejects.toThrow(
      'apt-get install -y --no-install-recommends redis-tools\n',
    );
  });

  it('installs what is missing, saying so first, and starts it', async () => {
    const bin = await tempDir();
    const found = [
      'mariadbd',
      'mariadb-install-db',
      'mysqld',
      'redis-server',
      'valkey-server',
      'redis-check-rdb',
    ]
      .map((name) => findProgram(REAL_PROGRAMS, name))
      .filter((program) => program !== undefined);
    await fakeProgram(bin, 'apt-get', `case "$*" in *install*) ln -s ${found.join(' ')} ${bin}; esac`);
    await fakeProgram(bin, 'sudo', 'shift; exec "$@"');
    const lines: string[] = [];
    const servers = await launch({ searchPath: [bin], allowInstall: true, log: (line) => lines.push(line) });
    await expectBothAnswer(servers);
    expect(lines[0]).toMatch(
      /^installing mariadb-server-core, mariadb-client-core, redis-tools with apt-get .* because there is no mariadbd/,
    );
  });

  it('shows what apt-get said where it fails', async () => {
    const bin = await tempDir();
    await fakeProgram(bin, 'apt-get', 'echo E: no network; exit 100');
    await fakeProgram(bin, 'sudo', 'shift; exec "$@"');
    const launched = launch({ searchPath: [bin], allowInstall: true });
    await expect(launched).rejects.toThrow('apt-get update failed:\n  E: no network\n');
  });
});

describe('npm start', () => {
  /** Runs a script of dev/ as npm does, with what it prints on both streams. */
  function runScript(script: string, ...args: string[]) {
    const child = spawn(process.execPath, ['--import', 'tsx', path.join(ROOT, 'dev', script), ...args], {
      cwd: ROOT,
      env: { ...ENV, PORT: '0' },
    });
    const ran = { child, output: '', ended: once(child, 'close') };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        ran.output += text;
        leaks.output(text);
      });
    }
    cleanUps.push(() => Promise.resolve(child.kill('SIGKILL')));
    return ran;
  }

  it('serves until Ctrl-C, is found by the command line, and refuses a second one', async () => {
    const dataDir = path.join(await tempDir(), 'data');
    const started = runScript('start.ts', '--data-dir', dataDir);
    await waitUntil(() => started.output.includes('Ctrl-C stops it') || started.child.exitCode !== null);
    const url = /Tally runs at (\S+),/.exec(started.output)?.[1];
    expect((await fetch(`${url}/health/live`)).status).toBe(200);

    const second = runScript('start.ts', '--data-dir', dataDir);
    const status = runScript('tally.ts', '--data-dir', dataDir, 'status');
    const sql = runScript('tally.ts', '--data-dir', dataDir, 'mysql', '-N', '-e', 'SELECT DATABASE(), 6 * 7');
    const ping = runScript('tally.ts', '--data-dir', dataDir, 'redis-cli', 'ECHO', 'a b');
    expect(await second.ended).toEqual([1, null]);
    expect(second.output).toContain(
      `is in use by process ${started.child.pid} (${url}): stop it with Ctrl-C or kill ${started.child.pid}\n`,
    );
    expect(await status.ended).toEqual([0, null]);
    expect(status.output).toMatch(/^log .*\nhead /);
    expect(await sql.ended).toEqual([0, null]);
    expect(sql.output).toBe('tally\t42\n');
    expect(await ping.ended).toEqual([0, null]);
    expect(ping.output).toBe('a b\n');

    started.child.kill('SIGINT');
    expect(await started.ended).toEqual([0, null]);
    expect(await readFile(path.join(dataDir, 'log', 'mysql.log'), 'utf8')).toContain('Shutdown complete');
    expect(await readFile(path.join(dataDir, 'log', 'redis.log'), 'utf8')).toContain('SIGTERM');
  });

  it('restarts the service alone when a source changes, where it watches them', async () => {
    const started = runScript('start.ts', '--watch', '--data-dir', path.join(await tempDir(), 'data'));
    const addresses = () =>
      [...started.output.matchAll(/Server listening at (http:[^"]+)/g)].map(([, url]) => url);
    await waitUntil(() => addresses().length === 1);
    await utimes(path.join(ROOT, 'src', 'version.ts'), new Date(), new Date());
    await waitUntil(() => addresses().length === 2);
    const { checks } = (await (await fetch(`${addresses()[1]}/health/ready`)).json()) as { checks: object };
    expect(checks).toMatchObject({ mysql: { ok: true }, redis: { ok: true } });
    expect(started.output.match(/a private server/g)).toHaveLength(2); // MySQL and Redis, each started once

    started.child.kill('SIGINT');
    expect(await started.ended).toEqual([0, null]);
  });

  it('stops in good order when the service that it watches was killed', async () => {
    const dataDir = path.join(await tempDir(), 'data');
    const started = runScript('start.ts', '--watch', '--data-dir', dataDir);
    await waitUntil(() => started.output.includes('Server listening'));
    const services = async () =>
      (await descendantsOf(started.child.pid)).filter(
        ({ command }) => command.includes('src/main.ts') && !command.includes('watch'),
      );
    for (const { pid } of await services()) process.kill(pid, 'SIGKILL');
    await waitUntil(async () => (await services()).length === 0);

    started.child.kill('SIGINT');
    expect(await started.ended).toEqual([0, null]);
    expect(await readFile(path.join(dataDir, 'log', 'mysql.log'), 'utf8')).toContain('Shutdown complete');
  });

  it('explains an unknown option, a bad data directory and missing servers, without a stack', async () => {
    const file = path.join(await tempDir(), 'file');
    await writeFile(file, '');
    const option = runScript('start.ts', '--no-such-option');
    const directory = runScript('start.ts', '--data-dir', file);
    const servers = runScript('tally.ts', '--data-dir', `${file}-not`, 'status');
    for (const { ended } of [option, directory, servers]) expect(await ended).toEqual([1, null]);
    expect(option.output).toMatch(/^Unknown option '--no-such-option'[^]+Usage: npm start/);
    expect(directory.output).toBe(
      `cannot use that directory: EEXIST: file already exists, mkdir '${file}'\n`,
    );
    expect(servers.output).toBe(
      'found no servers: run `npm start` in another terminal, or set DATABASE_URL and REDIS_URL\n',
    );
  });
});

interface RunningProcess {
  pid: number;
  command: string;
}

/** From Linux's /proc. */
async function descendantsOf(pid: number | undefined): Promise<RunningProcess[]> {
  const ids = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'))
    .split(' ')
    .filter(Boolean)
    .map(Number);
  const found = ids.map(async (pid) => [
    { pid, command: await readFile(`/proc/${pid}/cmdline`, 'utf8') },
    ...(await descendantsOf(pid)),
  ]);
  return (await Promise.all(found)).flat();
}

describe('the lock of a data directory', () => {
  const HOLDER = (dataDir: string) => `
    const { holdDataLock } = require('./dev/data-lock.ts');
    holdDataLock(${JSON.stringify(dataDir)}).then((lock) => {
      lock.publish({ databaseUrl: 'mysql://there', redisUrl: '/there', url: 'http://there' });
      console.log('"held"');
      setInterval(() => {}, 1000);
    });`;

  it('tells a second launcher who holds it, and is free as soon as that process is killed', async () => {
    const dataDir = await tempDir();
    const { child, hear } = runApart(HOLDER(dataDir));
    expect(await hear()).toBe('held');

    const holder = {
      pid: child.pid,
      dataDir,
      databaseUrl: 'mysql://there',
      redisUrl: '/there',
      url: 'http://there',
    };
    expect(await holdDataLock(dataDir)).toEqual({ held: false, holder });
    expect(await findRunningServers(`${dataDir}/../${path.basename(dataDir)}`)).toEqual(holder);

    child.kill('SIGKILL');
    await waitUntil(() => child.signalCode !== null);
    expect(await findRunningServers(dataDir)).toBeUndefined();
    const lock = await holdDataLock(dataDir);
    expect(lock.held).toBe(true);
    if (lock.held) await lock.release();
  });

  it('does not name servers that are still starting, nor those of another directory', async () => {
    const dataDir = path.join(await tempDir(), 'made', 'by the lock');
    const lock = await holdDataLock(dataDir);
    if (!lock.held) throw new Error('somebody holds a directory that did not exist');
    cleanUps.push(lock.release);
    expect(await holdDataLock(dataDir)).toEqual({ held: false, holder: { pid: process.pid, dataDir } });
    expect(await findRunningServers(dataDir)).toBeUndefined();

    lock.publish({ databaseUrl: 'mysql://here', redisUrl: '/here', url: 'http://here' });
    expect(await findRunningServers(dataDir)).toMatchObject({ url: 'http://here' });
    expect(await findRunningServers(path.dirname(dataDir))).toBeUndefined();
  });
});
