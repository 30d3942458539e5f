import { Redis } from 'ioredis';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { setTimeout as delay } from 'node:timers/promises';
import { Clients } from './clients';
import { History } from './history';
import { freePort, Proxy, proxyDatabase, proxyRedis } from './proxy';
import { connectSql, DATABASE_PREFIX, SERVICE_USER, type Servers } from './servers';
import { Service, type ServiceListener } from './service';

const READY_WITHIN_MS = 60_000;

/** Short bounds, so that a run sees many of them pass; the scheduled verification often, since keys are damaged often. */
const SETTINGS = {
  LOG_LEVEL: 'warn',
  MYSQL_TIMEOUT_MS: '1500',
  REDIS_TIMEOUT_MS: '700',
  PROJECTION_WAIT_MS: '700',
  READ_WAIT_MS: '1500',
  PROJECTION_POLL_MS: '100',
  SHUTDOWN_TIMEOUT_MS: '5000',
  REBUILD_MIN_INTERVAL_S: '5',
};
const VERIFY_INTERVAL_S = 5;
const PREFIX = 'tally';
const SERVICES = 3;

/** What a run plays on: the services, the proxies in front of their servers, and a way past the proxies. */
export interface Stage {
  servers: Servers;
  build: string;
  services: Service[];
  /** Between each service and MySQL, in the order of the services. */
  mysqlProxies: Proxy[];
  redisProxies: Proxy[];
  /** Settings of a command line that goes past the proxies. */
  directEnv: NodeJS.ProcessEnv;
  /** What every key of the read model begins with. */
  root: string;
  redis: Redis;
  history: History;
  clients: Clients;
  /** Whether damage to keys is followed by a repair at once; else the services find it by themselves. */
  repairsDamage: boolean;
  /** A connection to the run's database as a user that may do anything, past the proxies. */
  connect(): Promise<Connection>;
  close(): Promise<void>;
}

/** Starts the services on a new database and an empty Redis. */
export async function setStage(
  servers: Servers,
  build: string,
  settings: Partial<typeof SETTINGS> = {},
): Promise<Stage> {
  const history = new History();
  const name = `${DATABASE_PREFIX}${Date.now()}`;
  const admin = await connectSql(servers.mysqlUrl);
  await admin.query(`CREATE DATABASE ${name} DEFAULT CHARACTER SET utf8mb4`);
  await admin.end();
  // Without its files: a FLUSHALL can be cut off its append-only file, and the keys of an earlier run would be back.
  await servers.redis.kill();
  await servers.redis.replaceFiles(undefined);
  await servers.redis.start();
  const redis = new Redis(servers.redisPath, { maxRetriesPerRequest: null });
  redis.on('error', () => undefined); // it is killed on purpose, and comes back

  const url = new URL(servers.mysqlUrl);
  url.pathname = `/${name}`;
  const adminUrl = url.href;
  url.username = SERVICE_USER;
  const { DATABASE_URL: _, REDIS_URL: __, ...inherited } = process.env;
  const directEnv = {
    ...inherited,
    ...SETTINGS,
    ...settings,
    VERIFY_INTERVAL_S: String(VERIFY_INTERVAL_S),
    REDIS_PREFIX: PREFIX,
    DATABASE_URL: url.href,
    REDIS_URL: servers.redisPath,
  };
  const services: Service[] = [];
  const mysqlProxies: Proxy[] = [];
  const redisProxies: Proxy[] = [];
  for (let index = 0; index < SERVICES; index++) {
    const database = await proxyDatabase(url.href);
    const cache = await proxyRedis(servers.redisPath);
    mysqlProxies.push(database.proxy);
    redisProxies.push(cache.proxy);
    const port = await freePort();
    const env = { ...directEnv, DATABASE_URL: database.url, REDIS_URL: cache.url, PORT: String(port) };
    services.push(new Service(index, `http://127.0.0.1:${port}`, build, env, listenerOf(history)));
  }
  for (const service of services) service.start();
  await Promise.all(services.map((service) => ready(service)));
  const connect = () => connectSql(adminUrl);
  return {
    servers,
    build,
    services,
    mysqlProxies,
    redisProxies,
    directEnv,
    root: await readRoot(connect),
    redis,
    history,
    clients: new Clients(services, history),
    repairsDamage: true,
    connect,
    async close() {
      await Promise.all(services.map((service) => service.kill()));
      await Promise.all([...mysqlProxies, ...redisProxies].map((proxy) => proxy.close()));
      redis.disconnect();
      await dropDatabase(servers, name).catch((error: unknown) => {
        console.error(`${name} stays: ${String(error)}`); // it goes with its server
      });
    },
  };
}

/** Does something over a connection of its own, past the proxies, as a user that may do anything. */
export async function withAdmin<T>(stage: Stage, work: (sql: Connection) => Promise<T>): Promise<T> {
  const sql = await stage.connect();
  return work(sql).finally(() => sql.destroy());
}

async function dropDatabase(servers: Servers, name: string): Promise<void> {
  const sql = await connectSql(servers.mysqlUrl);
  await sql.query(`DROP DATABASE ${name}`);
  await sql.end();
}

/** Takes down what the services log, and what of it must never be logged. */
function listenerOf(history: History): ServiceListener {
  return {
    logged(service, line, text) {
      if (line.level >= 40) history.logs.push({ at: history.now(), line: `service ${service}: ${text}` });
      if (line.msg.startsWith('a freshly built read model differed')) {
        history.violated(`service ${service} built a wrong read model: ${text}`);
      }
      if (line.finding !== undefined) history.found(`service ${service}`, line.finding);
    },
    died(service, how, lastLines) {
      history.violated(
        `service ${service} ended by itself, or not at all (${how}): ${lastLines.slice(-15).join('\n')}`,
      );
    },
  };
}

/** The prefix, and the first 12 digits of the log's id. */
async function readRoot(connect: () => Promise<Connection>): Promise<string> {
  const sql = await connect();
  try {
    const [[head]] = await sql.query<RowDataPacket[]>(
      'SELECT LOWER(LEFT(HEX(log_id), 12)) AS digits FROM event_head',
    );
    return `${PREFIX}-${head?.digits}`;
  } finally {
    sql.destroy();
  }
}

/** Waits until a service says that it is ready. */
export async function ready(service: Service, withinMs = READY_WITHIN_MS): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await fetch(`${service.url}/health/ready`, { signal: AbortSignal.timeout(5000) }).catch(
      () => undefined,
    );
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    if (performance.now() > deadline) throw new Error(`service ${service.index} did not become ready`);
    await delay(25);
  }
}
