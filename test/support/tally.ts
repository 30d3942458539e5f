import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { RowDataPacket } from 'mysql2/promise';
import { pino, type DestinationStream } from 'pino';
import { startApp, type RunningApp } from '../../src/app';
import { loadConfig, type Config } from '../../src/config';
import { keysOf, until, type Place } from './place';
import { leaks, noteSettings } from './watch';

export { keysOf, newPlace, until, type Place } from './place';

export interface Answer {
  status: number;
  headers: Headers;
  // The tests say what they expect of it.
  body: ReturnType<typeof JSON.parse>;
}

/** The position that an answer states. */
export function positionOf({ headers }: Answer): number {
  return Number(headers.get('tally-position')?.split(':')[0]);
}

/** A running service. */
export interface Tally {
  app: RunningApp;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  delete(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a request whose body is sent as it is, or that has none. */
  send(
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ): Promise<Answer>;
}

export async function startTally(
  place: Place,
  overrides: Record<string, string> = {},
  logStream?: DestinationStream,
): Promise<Tally> {
  const config = loadConfig({ ...place.env, ...overrides });
  noteSettings(config);
  const app = await startApp({ ...config, LOG_LEVEL: 'trace' }, { logStream: watchedLog(config, logStream) });
  const send = async (
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ) => {
    const response = await fetch(app.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
  };
  return {
    app,
    get: (path, headers = {}) => send('GET', path, undefined, headers),
    post: (path, body, headers = {}) =>
      send('POST', path, JSON.stringify(body), { 'content-type': 'application/json', ...headers }),
    delete: (path, headers = {}) => send('DELETE', path, undefined, headers),
    send,
  };
}

/** The whole log is watched for secrets; the test has what LOG_LEVEL lets through. */
function watchedLog({ LOG_LEVEL: level }: Config, logStream: DestinationStream = process.stdout) {
  const all = { level: 'trace' as const, stream: { write: (line: string) => leaks.output(line) } };
  return pino.multistream(level === 'silent' ? [all] : [all, { level, stream: logStream }]);
}

/** A user, and products at these prices; returns their ids. */
export async function seedCatalogue(
  tally: Tally,
  prices: string[],
): Promise<{ user: number; products: number[] }> {
  const tag = randomBytes(4).toString('hex');
  const user = await tally.post('/users', { name: 'Ada', email: `${tag}@example.com` });
  const products: number[] = [];
  for (const [index, price] of prices.entries()) {
    const added = await tally.post('/products', { name: `Tea ${index}`, sku: `${tag}-${index}`, price });
    products.push(added.body.product_id);
  }
  return { user: user.body.user_id, products };
}

/** Waits until the live read model contains everything that is committed. */
export async function caughtUp(place: Place): Promise<void> {
  await until(async () => {
    const [rows] = await place.sql.query<RowDataPacket[]>('SELECT position FROM event_head');
    const at = await place.redis.hget(await liveKeyOf(place, 'checkpoint'), 'at');
    return at?.startsWith(`${rows[0]?.position}:`);
  });
}

/** The first part of every key of this place's log. */
export async function rootOf({ sql, prefix }: Place): Promise<string> {
  const [rows] = await sql.query<RowDataPacket[]>('SELECT LOWER(HEX(log_id)) AS id FROM event_head');
  return `${prefix}-${String(rows[0]?.id).slice(0, 12)}`;
}

/** The id of the live generation; undefined where there is none. */
export async function liveGeneration(place: Place): Promise<string | undefined> {
  return (await place.redis.get(`${await rootOf(place)}:live`)) ?? undefined;
}

/** The full name of a key of the live generation. */
export async function liveKeyOf(place: Place, suffix: string): Promise<string> {
  return `{${await rootOf(place)}:${await liveGeneration(place)}}:${suffix}`;
}

/** The live read model, whole: what stands after `{root:g}:`, and a canonical form of what it holds. */
export async function dump(place: Place): Promise<Record<string, unknown>> {
  const { redis } = place;
  const start = await liveKeyOf(place, '');
  const all = (await keysOf(redis, place.prefix)).filter((key) => key.startsWith(start));
  const entries: [string, unknown][] = [];
  for (const key of all) {
    const suffix = key.slice(start.length);
    if (suffix !== 'checkpoint') entries.push([suffix, await valueOf(redis, key)]);
  }
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Holds the fencing lock of the live generation, as a repair does, until it is given back or `ms` are over. */
export async function holdFence(place: Place, ms: number): Promise<() => Promise<void>> {
  const key = await liveKeyOf(place, 'checkpoint');
  const [seconds] = await place.redis.time();
  await place.redis.hset(key, { fence: 'somebody', fence_until: Number(seconds) * 1000 + ms });
  return async () => void (await place.redis.hdel(key, 'fence', 'fence_until'));
}

/** What a key holds, in a canonical form. */
export async function valueOf(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'set':
      return (await redis.smembers(key)).map(Number).sort((a, b) => a - b);
    case 'zset': {
      const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
      return Object.fromEntries(flat.flatMap((member, at) => (at % 2 === 0 ? [[member, flat[at + 1]]] : [])));
    }
    default:
      return 'another type';
  }
}
