import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createPool, type Pool } from 'mysql2/promise';
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
  const server = overrides.DATABASE_URL ?? process.env.DATABASE_URL ?? '';
  const url = new URL(server);
  url.pathname = `/${name}`;
  const env = {
    REDIS_URL: process.env.REDIS_URL ?? '',
    REDIS_PREFIX: name,
    PORT: '0',
    LOG_LEVEL: 'silent',
    PROJECTION_WAIT_MS: '20000',
    READ_WAIT_MS: '20000',
    PROJECTION_POLL_MS: '50',
    ...overrides,
    DATABASE_URL: url.href,
  };
  const admin = createPool({ uri: server, connectionLimit: 1 });
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

export async function keysOf(redis: Redis, prefix: string): Promise<string[]> {
  const found = new Set<string>();
  for (const match of [`{${prefix}-*`, `${prefix}-*`]) {
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', match, 'COUNT', 1000);
      cursor = next;
      for (const key of keys) found.add(key);
    } while (cursor !== '0');
  }
  return [...found];
}
