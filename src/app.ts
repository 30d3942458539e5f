import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { pino, type DestinationStream, type Logger } from 'pino';
import { getProduct, getUser, listProducts, listUsers } from './catalogue/read-catalogue';
import { adopt } from './commands/reconcile';
import { createOrder } from './commands/create-order';
import { createProduct } from './commands/create-product';
import { createUser } from './commands/create-user';
import { deleteOrder } from './commands/delete-order';
import { deleteProduct } from './commands/delete-product';
import { deleteUser } from './commands/delete-user';
import { Writer, type CommitListener } from './commands/writer/writer';
import type { Config } from './config';
import { errorMessage } from './domain/problems';
import type { Handlers } from './http/handlers';
import { buildServer, type App } from './http/server';
import { Metrics } from './http/metrics';
import { openDatabases, type Databases } from './mysql/pool';
import { durabilityWarnings } from './mysql/durability';
import { failureOf } from './mysql/failures';
import { migrate } from './mysql/migrate';
import { Projector } from './projections/projector/projector';
import { ResyncSupervisor, type ResyncDeps } from './projections/resync/supervisor';
import { readModelStatus, readiness } from './projections/status';
import { describeWork, readWork } from './projections/resync/work';
import { bestSellers } from './queries/best-sellers';
import { getOrder } from './queries/get-order';
import { highestSpenders } from './queries/highest-spenders';
import { listOrders } from './queries/list-orders';
import { sales } from './queries/sales';
import { summary } from './queries/summary';
import { LiveGeneration } from './read-model/live';
import { Reader } from './read-model/reader';
import { openRedis } from './redis/client';
import { withScripts, type ScriptedRedis } from './read-model/scripts';
import { VERSION } from './version';

/** A service that is being started waits this long for MySQL, as where both are started together. */
const MYSQL_START_TIMEOUT_MS = 30_000;
const RETRY_PAUSE_MS = 500;

export interface RunningApp {
  /** Where it listens. */
  url: string;
  /** Ends requests in flight, then everything else. */
  close(): Promise<void>;
}

export function createLogger(config: Pick<Config, 'LOG_LEVEL'>, stream?: DestinationStream): Logger {
  const options = { level: config.LOG_LEVEL, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return stream === undefined ? pino(options) : pino(options, stream);
}

/** The stores, and what both the service and the command line need of them. */
export interface Core {
  databases: Databases;
  redis: { projector: ScriptedRedis; requests: ScriptedRedis };
  live: LiveGeneration;
  resyncDeps: Omit<ResyncDeps, 'observe' | 'signal'>;
  writer: Writer;
  close(): Promise<void>;
}

/** Opens the stores; Redis may be away. */
export function openCore(
  config: Config,
  log: Logger,
  {
    listener = { committed() {}, nudge() {} },
    onPoolWait,
  }: { listener?: CommitListener; onPoolWait?: (seconds: number) => void } = {},
): Core {
  const databases = openDatabases(config, onPoolWait);
  // Apart from each other, so that a long script of a resync does not delay the answer to a request on the client's side.
  const redis = {
    projector: connectRedis(config, 'projector', log),
    requests: connectRedis(config, 'requests', log),
  };
  const live = new LiveGeneration(redis.projector, config.REDIS_PREFIX);
  const writer = new Writer(databases.commands, listener, {
    timeoutMs: config.MYSQL_TIMEOUT_MS,
    maxWaiting: config.MYSQL_QUEUE_LIMIT,
  });
  return {
    databases,
    redis,
    live,
    writer,
    resyncDeps: {
      redis: redis.projector,
      database: databases.reads,
      live,
      log,
      adopt: (subject) => adopt(writer, databases.reads, subject, new Date().toISOString()),
    },
    async close() {
      redis.projector.disconnect();
      redis.requests.disconnect();
      await databases.close();
    },
  };
}

function connectRedis(config: Config, name: string, log: Logger): ScriptedRedis {
  const redis = withScripts(openRedis(config, name));
  let lost = false;
  redis.on('error', (error: unknown) => {
    if (lost) return;
    lost = true;
    log.warn(
      { client: name, reason: errorMessage(error) },
      'Redis cannot be reached: commands go on, reads answer 503, and the connection is tried again',
    );
  });
  redis.on('ready', () => {
    if (lost) log.info({ client: name }, 'Redis is back');
    lost = false;
  });
  redis.connect().catch(() => {
    // Told by the error event; ioredis goes on trying.
  });
  return redis;
}

/** Resolves when the client can be used. @throws where Redis cannot be reached within the time. */
export async function redisReady(redis: ScriptedRedis, timeoutMs: number): Promise<void> {
  if (redis.status !== 'ready') await once(redis, 'ready', { signal: AbortSignal.timeout(timeoutMs) });
}

/** Migrates, puts everything together, and listens. */
export async function startApp(
  config: Config,
  { logStream }: { logStream?: DestinationStream } = {},
): Promise<RunningApp> {
  const log = createLogger(config, logStream);
  const applied = await whenReachable(log, () => migrate(config.DATABASE_URL, config.MYSQL_TIMEOUT_MS));
  if (applied.length > 0) log.info({ applied }, 'the schema is up to date');

  // The projector and the writer need each other: what was committed goes to the projector.
  const listener: CommitListener = {
    committed: (appended) => projector.offer(appended),
    nudge: () => projector.nudge(),
  };
  const metrics = new Metrics(() => {
    const { lagEvents, lagSeconds } = projector.status();
    return { events: lagEvents, seconds: lagSeconds };
  });
  const core = openCore(config, log, {
    listener,
    onPoolWait: (seconds) => metrics.poolWaitSeconds.observe(seconds),
  });
  const { databases, redis, live } = core;

  const supervisor = new ResyncSupervisor(
    {
      ...core.resyncDeps,
      onFinding: ({ repaired }) => {
        metrics.driftFound.inc();
        if (repaired) metrics.driftRepaired.inc();
      },
    },
    {
      verifyIntervalMs: config.VERIFY_INTERVAL_S * 1000,
      rebuildMinIntervalMs: config.REBUILD_MIN_INTERVAL_S * 1000,
      nudge: () => projector.nudge(),
    },
  );
  const projector = new Projector(redis.projector, databases.reads, live, {
    pollMs: config.PROJECTION_POLL_MS,
    log,
    onApplied: (path, events) => metrics.eventsApplied.inc({ path }, events),
    onProjected: (lagSeconds) => metrics.projectionLagSeconds.observe(lagSeconds),
    onLost: (loss) => supervisor.lost(loss),
  });
  const reader = new Reader(
    redis.requests,
    live,
    {
      async waitFor(position, timeoutMs) {
        projector.nudge();
        await projector.waitFor(position, timeoutMs);
      },
      isBeyondHead: (position) => projector.isBeyondHead(position),
      damaged: () => supervisor.verifySoon(),
      async buildingDetail() {
        const work = await readWork(redis.requests, config.REDIS_PREFIX);
        return work === undefined ? supervisor.outlook() : `${describeWork(work)}.`;
      },
    },
    config.READ_WAIT_MS,
  );

  const statusDeps = { redis: redis.requests, database: databases.reads, live, projector };
  const handlers = bindHandlers(core, reader, metrics, {
    awaitProjected: (position) => projector.waitFor(position, config.PROJECTION_WAIT_MS),
    readModelStatus: () => readModelStatus(statusDeps),
    readiness: () => readiness(statusDeps),
  });
  const server = await buildServer({ config, version: VERSION, log, metrics, handlers });

  const close = async () => {
    await server.close();
    await supervisor.stop();
    await projector.stop();
    await core.close();
  };
  try {
    for (const warning of await whenReachable(log, () => durabilityWarnings(databases.reads)))
      log.warn(warning);
    // Not for long: a service without Redis takes commands all the same.
    await redisReady(redis.projector, config.REDIS_TIMEOUT_MS).catch(() => undefined);
    projector.start();
    supervisor.start();
    return { url: await listen(server, config), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listen(server: App, { HOST: host, PORT: port }: Config): Promise<string> {
  return server.listen({ host, port });
}

/** Does something in MySQL that a start cannot do without; waits where it cannot be reached. */
async function whenReachable<T>(log: Logger, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + MYSQL_START_TIMEOUT_MS;
  for (let told = false; ; told = true) {
    try {
      return await work();
    } catch (error) {
      if (failureOf(error) !== 'unreachable' || performance.now() > deadline) throw error;
      if (!told) log.warn({ reason: errorMessage(error) }, 'MySQL cannot be reached yet; waiting for it');
      await delay(RETRY_PAUSE_MS);
    }
  }
}

/** Gives every handler what it needs. */
function bindHandlers(
  { writer, databases }: Core,
  reader: Reader,
  metrics: Metrics,
  rest: Pick<Handlers, 'awaitProjected' | 'readModelStatus' | 'readiness'>,
): Handlers {
  return {
    async createOrder(...args) {
      const receipt = await createOrder(writer, ...args);
      if (!receipt.replayed) metrics.ordersCreated.inc();
      return receipt;
    },
    async deleteOrder(...args) {
      const receipt = await deleteOrder(writer, ...args);
      if (!receipt.replayed) metrics.ordersDeleted.inc();
      return receipt;
    },
    createProduct: (...args) => createProduct(writer, ...args),
    deleteProduct: (...args) => deleteProduct(writer, ...args),
    createUser: (...args) => createUser(writer, ...args),
    deleteUser: (...args) => deleteUser(writer, ...args),
    getProduct: (...args) => getProduct(databases.reads, ...args),
    listProducts: (...args) => listProducts(databases.reads, ...args),
    getUser: (...args) => getUser(databases.reads, ...args),
    listUsers: (...args) => listUsers(databases.reads, ...args),
    getOrder: (...args) => getOrder(reader, ...args),
    listOrders: (...args) => listOrders(reader, ...args),
    bestSellers: (...args) => bestSellers(reader, ...args),
    highestSpenders: (...args) => highestSpenders(reader, ...args),
    sales: (...args) => sales(reader, ...args),
    summary: (...args) => summary(reader, ...args),
    ...rest,
  };
}
