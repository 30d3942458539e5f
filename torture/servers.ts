import { cp, mkdir, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createConnection, type Connection } from 'mysql2/promise';
import { defaultSearchPath } from '../dev/command';
import { mysql } from '../dev/mysql-server';
import { redis } from '../dev/redis-server';
import { mountSmallDisk, type SmallDisk } from './disk';
import type { Place, RunningServer, ServerKind } from '../dev/server-kind';

const START_ATTEMPTS = 3;

/**
 * As whom the services connect: a user with rights on the databases of runs and no others. One with more would ignore that
 * MySQL is read-only.
 */
export const SERVICE_USER = 'shop';
/** What the name of each run's database begins with. */
export const DATABASE_PREFIX = 'torture_';

/** A server of the run's own, to be ill-treated: what it has made durable stays when it is killed. */
export class MortalServer {
  private running: (RunningServer & { pid: number }) | undefined;

  constructor(
    private readonly kind: ServerKind,
    protected readonly place: Place,
  ) {}

  async start(): Promise<string> {
    const startable = this.kind.find(defaultSearchPath(process.env));
    if (startable === undefined) throw new Error(`there is no ${this.kind.programs} on this machine`);
    for (let attempt = 1; ; attempt++) {
      try {
        this.running = await startable.start(this.place);
        return this.running.url;
      } catch (error) {
        // After a kill -9, a server now and then ends on the way up. A second start succeeds.
        if (attempt === START_ATTEMPTS) throw error;
        console.error(`a server did not start, attempt ${attempt}: ${String(error)}`);
      }
    }
  }

  async stop(): Promise<void> {
    await this.running?.stop();
  }

  /** kill -9; returns when it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.running?.stop();
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (this.running === undefined) return;
    try {
      process.kill(this.running.pid, name);
    } catch {
      // It has ended by itself.
    }
  }

  /** A copy of its files as they are at this moment. */
  async snapshot(): Promise<string> {
    const copy = await mkdtemp(join(this.place.runDir, 'snapshot-'));
    await cp(this.place.dataDir, copy, { recursive: true, force: true });
    return copy;
  }

  /** Its files become those of a snapshot, or none. Only while it is down. */
  async replaceFiles(snapshot: string | undefined): Promise<void> {
    await rm(this.place.dataDir, { recursive: true });
    await mkdir(this.place.dataDir);
    if (snapshot === undefined) return;
    await cp(snapshot, this.place.dataDir, { recursive: true });
    await rm(snapshot, { recursive: true });
  }
}

class MortalRedis extends MortalServer {
  /** Cuts the last bytes off its append-only file. Only while it is down. */
  async cutLog(bytes: number): Promise<void> {
    const directory = join(this.place.dataDir, 'appendonlydir');
    const newest = (await readdir(directory))
      .filter((name) => name.endsWith('.incr.aof'))
      .toSorted()
      .at(-1);
    if (newest === undefined) return;
    const file = join(directory, newest);
    await truncate(file, Math.max(0, (await stat(file)).size - bytes));
  }
}

function placeIn(runDir: string, name: string, disk = runDir): Place {
  return {
    runDir,
    dataDir: join(disk, name),
    logFile: join(runDir, `${name}.log`),
    size: 'small',
    onDeath: () => undefined, // it is killed on purpose
  };
}

/** A Redis whose files are in a directory; to be started. */
export function startableRedis(runDir: string): MortalRedis {
  return new MortalRedis(redis, placeIn(runDir, 'redis'));
}

/** The servers behind the services; they outlive a run, each of which has a database of its own. */
export interface Servers {
  mysql: MortalServer;
  redis: MortalRedis;
  /** Where MySQL's files are; undefined where this machine does not allow it one of its own. */
  mysqlDisk: SmallDisk | undefined;
  /** Of a user that may do anything. */
  mysqlUrl: string;
  redisPath: string;
  /** What kind and version of MySQL it is. */
  mysqlVersion: string;
  redisVersion: string;
  stop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const runDir = await mkdtemp(join(tmpdir(), `tally-${process.pid}-`));
  const mysqlDisk = await mountSmallDisk(runDir);
  const mysqlServer = new MortalServer(mysql, placeIn(runDir, 'mysql', mysqlDisk?.directory));
  const redisServer = startableRedis(runDir);
  const [mysqlUrl, redisPath] = await Promise.all([mysqlServer.start(), redisServer.start()]);
  const sql = await connectSql(mysqlUrl);
  const [rows] = await sql.query('SELECT VERSION() AS version');
  await sql.query('CREATE USER ?@localhost', [SERVICE_USER]);
  await sql.query(`GRANT ALL ON \`${DATABASE_PREFIX.replace('_', '\\_')}%\`.* TO ?@localhost`, [
    SERVICE_USER,
  ]);
  await sql.end();
  const client = new Redis(redisPath);
  const info = await client.info('server');
  client.disconnect();
  return {
    mysql: mysqlServer,
    redis: redisServer,
    mysqlDisk,
    mysqlUrl,
    redisPath,
    mysqlVersion: (rows as { version: string }[])[0]?.version ?? 'unknown',
    redisVersion: /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown',
    async stop() {
      await Promise.all([mysqlServer.stop(), redisServer.stop()]);
      await mysqlDisk?.unmount();
      await rm(runDir, { recursive: true, force: true });
    },
  };
}

/** A connection of the torture's own, past all proxies. */
export async function connectSql(url: string): Promise<Connection> {
  return createConnection({
    uri: url,
    dateStrings: true,
    timezone: 'Z',
    jsonStrings: true,
    supportBigNumbers: true,
    connectTimeout: 10_000,
  });
}
