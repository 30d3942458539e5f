import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { defaultSearchPath } from '../dev/command';
import { redis as redisKind } from '../dev/redis-server';
import { startServers } from '../dev/servers';
import type { Cleanup } from './cleanup';

/** What decides whether an acknowledged order survives a crash, as the servers themselves state it. */
export interface ServerFacts {
  mysqlVersion: string;
  redisVersion: string;
  mysqlSettings: Record<string, string>;
  redisSettings: Record<string, string>;
}

/** The bench's own MySQL, and as many Redis as it wants, all as durable as production must be. */
export class Servers {
  private constructor(
    private readonly cleanup: Cleanup,
    private readonly databaseUrl: string,
    private readonly runDir: string,
    readonly admin: Connection,
  ) {}

  static async start(cleanup: Cleanup): Promise<Servers> {
    const { PATH } = process.env;
    const started = await startServers({
      env: PATH === undefined ? {} : { PATH }, // never those of DATABASE_URL: the bench measures its own
      large: true,
      allowInstall: true,
      log: (line) => console.log(line),
      onDeath: (message) => console.error(message), // whoever uses it fails
    });
    cleanup.add(started.stop);
    const runDir = await mkdtemp(join(tmpdir(), `tally-${process.pid}-`));
    cleanup.add(() => rm(runDir, { recursive: true, force: true }));
    const admin = await createConnection({
      uri: started.databaseUrl,
      multipleStatements: true,
      supportBigNumbers: true,
    });
    cleanup.add(() => admin.destroy());
    return new Servers(cleanup, started.databaseUrl, runDir, admin);
  }

  async createDatabase(name: string): Promise<string> {
    await this.admin.query(`CREATE DATABASE ${name} DEFAULT CHARACTER SET utf8mb4`);
    const url = new URL(this.databaseUrl);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** A Redis of its own, empty. @returns the path of its socket. */
  async startRedis(name: string): Promise<string> {
    const startable = redisKind.find(defaultSearchPath(process.env));
    if (startable === undefined) throw new Error(`there is no ${redisKind.programs} on this machine`);
    const runDir = join(this.runDir, name);
    await mkdir(runDir);
    const running = await startable.start({
      runDir,
      dataDir: join(runDir, 'data'),
      logFile: join(runDir, 'redis.log'),
      size: 'small',
      onDeath: (message) => console.error(message),
    });
    this.cleanup.add(running.stop);
    return running.url;
  }

  /** A client for the bench's own questions. */
  async connectRedis(path: string): Promise<Redis> {
    const client = new Redis(path, { lazyConnect: true });
    await client.connect();
    this.cleanup.add(() => client.disconnect());
    return client;
  }

  async facts(redis: Redis): Promise<ServerFacts> {
    const [[version]] = await this.admin.query<(RowDataPacket & { version: string })[]>(
      'SELECT VERSION() AS version',
    );
    const [variables] = await this.admin.query<(RowDataPacket & { Variable_name: string; Value: string })[]>(
      'SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)',
      [['innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'innodb_buffer_pool_size']],
    );
    const info = await redis.info('server');
    const redisSettings: Record<string, string> = {};
    for (const name of ['appendonly', 'appendfsync', 'maxmemory-policy', 'hash-max-listpack-value']) {
      redisSettings[name] = configValue(await redis.config('GET', name));
    }
    return {
      mysqlVersion: version?.version ?? 'unknown',
      redisVersion: /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown',
      mysqlSettings: Object.fromEntries(variables.map((row) => [row.Variable_name, row.Value])),
      redisSettings,
    };
  }
}

/** A map in RESP3, a flat list in RESP2. */
function configValue(reply: unknown): string {
  if (Array.isArray(reply)) return String(reply[1]);
  return String(Object.values(reply as Record<string, unknown>)[0]);
}
