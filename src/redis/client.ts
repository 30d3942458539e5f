import { once } from 'node:events';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Config } from '../config';
import { errorCode, errorMessage } from '../domain/errors';
import { refuseOldRedis, TooOld } from '../server-version';

/**
 * A client that fails fast instead of piling commands up: nothing is queued while Redis is away, nothing is sent twice
 * behind the caller's back, and every answer is waited for within a bound. Callers decide what to do again.
 */
function openRedis(config: RedisConfig, name: string): Redis {
  const { REDIS_SENTINELS: sentinels, REDIS_SENTINEL_NAME: primary } = config;
  const options = {
    connectionName: `tally-${name}`,
    commandTimeout: config.REDIS_TIMEOUT_MS,
    // A connection that does not answer is given up: it may be dead at the other end, and would stay so for ever.
    socketTimeout: config.REDIS_TIMEOUT_MS,
    connectTimeout: config.REDIS_TIMEOUT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 5), 1000),
    lazyConnect: true,
  };
  if (sentinels === undefined || primary === undefined) return new Redis(config.REDIS_URL, options);
  return new Redis(config.REDIS_URL, {
    ...options,
    sentinels,
    name: primary,
    sentinelRetryStrategy: (attempt) => Math.min(50 * attempt, 1000),
    // A failover ends the connections to the old primary; a write that reaches a demoted one all the same says so, and
    // the connection is made anew.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
}

/**
 * How often every connection is tried. One that nobody has used for a while may be dead at the other end, dropped by a
 * firewall without a word: the next request over it would be the one that finds out.
 */
const HEARTBEAT_MS = 1_000;

/**
 * A client that connects by itself, again and again, and says in the log when Redis goes away and comes back.
 * @param meanwhile what its absence means, for the log.
 */
export function connectRedis(
  config: RedisConfig,
  name: string,
  log: Logger,
  meanwhile = 'commands go on, reads answer 503',
): Redis {
  const redis = openRedis(config, name);
  /** What the log says of the connection at present. */
  let told: string | undefined;
  redis.on('error', (error: unknown) => {
    lastErrors.set(redis, error);
    const what = isRefused(error) ? REFUSED : UNREACHABLE;
    if (told === what) return;
    told = what;
    log.warn(
      { client: name, reason: errorMessage(error) },
      `${what}: ${meanwhile}, and the connection is tried again`,
    );
  });
  redis.on('ready', () => {
    lastErrors.delete(redis);
    if (told === undefined) return; // the start of the service looks at its version
    told = undefined;
    log.info({ client: name }, 'Redis is back');
    refuseOldServer(redis).catch((error: unknown) => {
      if (error instanceof TooOld) log.error({ client: name }, error.message);
    });
  });
  const heartbeat = setInterval(() => {
    if (redis.status === 'ready') redis.ping().catch(() => undefined); // the connection ends, and the log says so
  }, HEARTBEAT_MS).unref();
  // Unref'd besides: a client that is closed while it waits to connect again does not tell of its end.
  redis.once('end', () => clearInterval(heartbeat));
  redis.connect().catch(() => {
    // The error event tells the log; ioredis goes on trying.
  });
  return redis;
}

const UNREACHABLE = 'Redis cannot be reached';
const REFUSED = 'Redis refuses the user or the password of REDIS_URL';

/** Why a client is not connected. The commands that it refuses meanwhile do not say it. */
const lastErrors = new WeakMap<Redis, unknown>();

function isRefused(error: unknown): boolean {
  return /^(NOAUTH|WRONGPASS|ERR AUTH)\b/.test(errorMessage(error));
}

/** One sentence for a command that failed, with the reason why the client is not connected where that is so. */
export function redisFailure(redis: Redis, error: unknown): string {
  const cause = NOT_REACHED.test(errorMessage(error)) ? (lastErrors.get(redis) ?? error) : error;
  return `${isRefused(cause) ? REFUSED : UNREACHABLE}: ${errorMessage(cause)}`;
}

/** Does `work` on a connection that nobody else uses, so that it may WATCH keys. It is not made anew where it breaks. */
export async function onConnectionOfItsOwn<T>(redis: Redis, work: (own: Redis) => Promise<T>): Promise<T> {
  const own = redis.duplicate({
    connectionName: 'tally-watch',
    lazyConnect: true,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
  });
  own.on('error', () => undefined); // the command that fails tells it
  try {
    await own.connect();
    return await work(own);
  } finally {
    own.disconnect();
  }
}

/** Resolves when the client can be used. @throws where Redis cannot be reached within the time. */
export async function redisReady(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status !== 'ready') await once(redis, 'ready', { signal: AbortSignal.timeout(timeoutMs) });
}

/** @throws TooOld */
export async function refuseOldServer(redis: Redis): Promise<void> {
  refuseOldRedis(await redis.info('server'));
}

type RedisConfig = Pick<Config, 'REDIS_URL' | 'REDIS_SENTINELS' | 'REDIS_SENTINEL_NAME' | 'REDIS_TIMEOUT_MS'>;

/** The driver's type, so that nobody outside this folder imports the driver. */
export type { Redis } from 'ioredis';

/** Replies by which Redis says that it cannot serve now, though the command is right. */
const NOT_NOW =
  /^(LOADING|MASTERDOWN|READONLY|BUSY|CLUSTERDOWN|NOREPLICAS|MISCONF|TRYAGAIN|NOAUTH|WRONGPASS)\b/;

/** A key has another type than the command needs: the read model is damaged. */
export function isWrongType(error: unknown): boolean {
  return errorMessage(error).includes('WRONGTYPE');
}

/** Redis refused the command because its memory is full; nothing was changed. */
export function isOutOfMemory(error: unknown): boolean {
  return /^OOM\b/.test(errorMessage(error));
}

/** What ioredis says, in its messages alone, when a command did not get through or was not answered. */
const NOT_REACHED =
  /^(Connection is closed|Stream isn't writeable|Command timed out|Socket timeout|Command aborted|Reached the max retries)/;

const NODE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
]);

/** Redis was not reached or cannot serve now. False for errors that say the command or the data is wrong. */
export function isUnreachable(error: unknown): boolean {
  const message = errorMessage(error);
  return NOT_NOW.test(message) || NOT_REACHED.test(message) || NODE_CODES.has(errorCode(error) ?? '');
}
