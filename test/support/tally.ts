import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise';
import { startApp, type RunningApp } from '../../src/app';
import { loadConfig, type Config } from '../../src/config';

/** A database and a key prefix of one's own on the servers of this test run. */
export interface Place {
  env: Record<string, string>;
  prefix: string;
  config: Config;
  sql: Pool;
  redis: Redis;
  /** Loses everything that Redis has of this place: what FLUSHALL does, without hurting the neighbours. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export async function newPlace(overrides: Record<string, string> = {}): Promise<Place> {
  const name = `t${randomBytes(5).toString('hex')}`;
  const url = new URL(process.env.DATABASE_URL ?? '');
  url.pathname = `/${name}`;
  const env = {
    DATABASE_URL: url.href,
    REDIS_URL: process.env.REDIS_URL ?? '',
    REDIS_PREFIX: name,
    PORT: '0',
    LOG_LEVEL: 'silent',
    PROJECTION_WAIT_MS: '20000',
    READ_WAIT_MS: '20000',
    PROJECTION_POLL_MS: '50',
    ...overrides,
  };
  const admin = createPool({ uri: process.env.DATABASE_URL ?? '', connectionLimit: 1 });
  await admin.query(`CREATE DATABASE ${name} DEFAULT CHARACTER SET utf8mb4`);
  await admin.end();
  const sql = createPool({
    uri: url.href,
    connectionLimit: 4,
    dateStrings: true,
    timezone: 'Z',
    jsonStrings: true,
  });
  const redis = new Redis(env.REDIS_URL);
  return {
    env,
    prefix: env.REDIS_PREFIX,
    config: loadConfig(env),
    sql,
    redis,
    async flush() {
      const keys = await keysOf(redis, env.REDIS_PREFIX);
      if (keys.length > 0) await redis.del(keys);
    },
    async close() {
      await sql.query(`DROP DATABASE IF EXISTS ${name}`);
      await sql.end();
      const keys = await keysOf(redis, env.REDIS_PREFIX);
      if (keys.length > 0) await redis.del(keys);
      redis.disconnect();
    },
  };
}

export interface Answer {
  status: number;
  headers: Headers;
  // The tests say what they expect of it.
  body: ReturnType<typeof JSON.parse>;
}

/** A running service. */
export interface Tally {
  app: RunningApp;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  delete(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Starts a request whose body is sent as it is. */
  send(method: string, path: string, body: string, headers: Record<string, string>): Promise<Answer>;
}

export async function startTally(place: Place, overrides: Record<string, string> = {}): Promise<Tally> {
  const app = await startApp(loadConfig({ ...place.env, ...overrides }));
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

/** Waits until `condition` holds; fails with its last error or answer when it never does. */
export async function until<T>(condition: () => Promise<T> | T, timeoutMs = 30_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error('the condition did not come true in time', { cause: last });
    await delay(10);
  }
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
    const applied = await place.redis.get(await liveKeyOf(place, 'applied'));
    return applied?.startsWith(`${rows[0]?.position}:`);
  });
}

/** The full name of a key of the live generation. */
export async function liveKeyOf({ redis, prefix }: Place, suffix: string): Promise<string> {
  const generation = await redis.get(`${prefix}:live:1`);
  return `{${prefix}:${generation}}:${suffix}`;
}

/** The live read model, whole: what stands after `{tally:g}:`, and a canonical form of what it holds. */
export async function dump(place: Place): Promise<Record<string, unknown>> {
  const { redis } = place;
  const start = await liveKeyOf(place, '');
  const all = (await keysOf(redis, place.prefix)).filter((key) => key.startsWith(start));
  const entries: [string, unknown][] = [];
  for (const key of all) {
    const suffix = key.slice(start.length);
    if (['applied', 'writes', 'keeper', 'fence'].includes(suffix)) continue;
    entries.push([suffix, await valueOf(redis, key)]);
  }
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
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

export async function keysOf(redis: Redis, prefix: string): Promise<string[]> {
  const found = new Set<string>();
  for (const match of [`{${prefix}:*`, `${prefix}:*`]) {
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', match, 'COUNT', 1000);
      cursor = next;
      for (const key of keys) found.add(key);
    } while (cursor !== '0');
  }
  return [...found];
}
