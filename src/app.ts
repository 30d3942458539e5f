import { setTimeout as delay } from 'node:timers/promises';
import type { DestinationStream, Logger } from 'pino';
import { AccessLog } from './access/access-log';
import { Directory } from './access/directory';
import { RateLimiter } from './access/rate-limit';
import { ConfigError, type Config } from './config';
import { oneAtATime } from './concurrency';
import { errorMessage } from './domain/errors';
import { areDoorsOpen, isLoopback } from './http/local';
import { Metrics } from './http/metrics';
import { buildServer } from './http/server';
import { createLogger } from './logger';
import { durabilityWarnings } from './mysql/durability';
import { failureOf } from './mysql/failures';
import { createdMessage, migrate } from './mysql/migrate';
import { Projector } from './projections/projector/projector';
import { ResyncSupervisor } from './projections/resync/supervisor';
import { readReadiness, readReadModelStatus } from './projections/status';
import type { Keys } from './read-model/keys';
import { Reader } from './read-model/reader';
import { connectRedis, redisReady, refuseOldServer } from './redis/client';
import { TooOld } from './server-version';
import { MemoryStore } from './sessions/memory-store';
import { RedisStore } from './sessions/redis-store';
import type { SessionStore } from './sessions/store';
import { openStores } from './stores';
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

/** The composition root: migrates, puts everything together, and listens. */
export async function startApp(
  config: Config,
  { logStream }: { logStream?: DestinationStream } = {},
): Promise<RunningApp> {
  const log = createLogger(config, logStream);
  const applied = await whenReachable(log, () =>
    migrate(config.DATABASE_URL, config.MYSQL_TIMEOUT_MS, {
      onCreated: (name) => log.warn(createdMessage(name)),
    }),
  );
  if (applied.length > 0) log.info({ applied }, 'migrations were applied');

  const metrics = new Metrics(() => {
    const { lagEvents, lagSeconds, boundShare } = projector.status();
    return { events: lagEvents, seconds: lagSeconds, boundShare };
  });
  // The projector and the writer need each other: what is committed goes to the projector.
  const stores = openStores(config, log, {
    committed(appended, commands) {
      projector.offer(appended);
      metrics.commandsPerTransaction.observe(commands);
    },
    nudge: () => projector.nudge(),
    onPoolWait: (seconds) => metrics.poolWaitSeconds.observe(seconds),
  });
  const { databases, redis, requests, live, writer } = stores;

  const supervisor = new ResyncSupervisor(
    {
      redis,
      database: databases.reads,
      live,
      log,
      reconcile: stores.reconcile,
      onFinding: ({ repaired }) => {
        metrics.driftFound.inc();
        if (repaired) metrics.driftRepaired.inc();
      },
    },
    {
      verifyIntervalMs: config.VERIFY_INTERVAL_S * 1000,
      rebuildMinIntervalMs: config.REBUILD_MIN_INTERVAL_S * 1000,
      lag: () => projector.status(),
      nudge: () => projector.nudge(),
    },
  );
  const projector = new Projector(redis, databases, live, {
    pollMs: config.PROJECTION_POLL_MS,
    log,
    onApplied: (path, events) => metrics.eventsApplied.inc({ path }, events),
    onProjected: (lagSeconds) => metrics.projectionLagSeconds.observe(lagSeconds),
    onLost: (loss, isOwn) => supervisor.lost(loss, isOwn),
  });
  const reader = new Reader(
    requests,
    live,
    {
      freshness: projector.freshness,
      nudge: () => projector.nudge(),
      supervisor,
    },
    config.READ_WAIT_MS,
  );

  const statusDeps = {
    redis: requests,
    database: databases.reads,
    live,
    projector,
    isLost: (keys: Keys) => supervisor.isLost(keys),
    commandTrouble: () => writer.health.trouble,
  };
  const directory = new Directory(databases.reads, log);
  const sessionStore = openSessionStore(config, log, () => live.space?.root ?? config.REDIS_PREFIX);
  const accessLog = new AccessLog(databases.reads, { keepDays: config.AUDIT_DAYS, log });
  // A client of its own, so that no request waits for a long script before it is counted.
  const limits = connectRedis(config, 'limits', log, 'requests are not counted');
  const limiter = new RateLimiter(limits, (caller) => live.space?.limit(caller), log);
  const server = await buildServer({
    config,
    version: VERSION,
    log,
    directory,
    sessionStore,
    accessLog,
    limiter,
    context: {
      writer,
      maxOrderTotal: config.MAX_ORDER_TOTAL,
      reader,
      database: databases.requests,
      writes: databases.commands,
      metrics,
      awaitProjected: (at) => projector.freshness.waitFor(at, config.PROJECTION_WAIT_MS),
      readModelStatus: () => readReadModelStatus(statusDeps),
      readiness: oneAtATime(() => readReadiness(statusDeps)),
    },
  });

  const close = async () => {
    await server.close();
    await supervisor.stop();
    await projector.stop();
    await directory.stop();
    sessionStore.close();
    await accessLog.stop();
    limits.disconnect();
    await stores.close();
  };
  try {
    await whenReachable(log, () => directory.look());
    refuseOpenDoors(config, directory);
    log.info(sessionStore.about);
    await whenReachable(log, stores.followLog);
    for (const warning of await whenReachable(log, () => durabilityWarnings(databases.reads)))
      log.warn(warning);
    // Not for long: a service without Redis takes commands all the same.
    await redisReady(redis, config.REDIS_TIMEOUT_MS)
      .then(() => refuseOldServer(redis))
      .catch((error: unknown) => {
        if (error instanceof TooOld) throw error;
      });
    directory.start();
    accessLog.start();
    projector.start();
    supervisor.start();
    return { url: await server.listen({ host: config.HOST, port: config.PORT }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function openSessionStore(config: Config, log: Logger, root: () => string): SessionStore {
  const { SESSION_REDIS_URL: url } = config;
  if (url === undefined) return new MemoryStore();
  // The sentinels know one Redis; another one has none.
  const server =
    url === config.REDIS_URL
      ? config
      : { ...config, REDIS_URL: url, REDIS_SENTINELS: undefined, REDIS_SENTINEL_NAME: undefined };
  return new RedisStore(connectRedis(server, 'sessions', log, 'people are answered 503, keys go on'), root);
}

/** @throws ConfigError where others than programs on this machine could do everything. */
function refuseOpenDoors(config: Config, directory: Directory): void {
  const { HOST } = config;
  if (!areDoorsOpen(config, directory) || isLoopback(HOST)) return;
  throw new ConfigError(
    `HOST is ${HOST}, which others can reach, and nobody has been given a key, so everybody could do everything. ` +
      'Set ACCESS=closed, and make the first key while the service runs: `tally key create NAME --scopes admin`.',
  );
}

/** Does something in MySQL that a start cannot do without; waits where it cannot be reached. */
async function whenReachable<T>(log: Logger, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + MYSQL_START_TIMEOUT_MS;
  for (let isTold = false; ; isTold = true) {
    try {
      return await work();
    } catch (error) {
      const failure = failureOf(error);
      // Read-only, too: a failover is under way.
      const mayPass = failure === 'unreachable' || failure === 'unwritable';
      if (!mayPass || performance.now() > deadline) throw error;
      if (!isTold) log.warn({ reason: errorMessage(error) }, 'MySQL cannot be reached yet; waiting for it');
      await delay(RETRY_PAUSE_MS);
    }
  }
}
