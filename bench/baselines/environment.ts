import { Redis } from 'ioredis';
import { createPool, type Pool, type PoolOptions } from 'mysql2/promise';

/** As Tally's default: MYSQL_POOL_SIZE. */
const POOL_SIZE = 10;

/** A variable that the bench sets for its programs. */
export function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

/** A pool as a service keeps it: nothing is converted behind its back. */
export function openPool(options: PoolOptions = {}): Pool {
  return createPool({
    uri: required('DATABASE_URL'),
    connectionLimit: POOL_SIZE,
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    ...options,
  });
}

export function openRedis(): Redis {
  return new Redis(required('REDIS_URL'), { db: Number(process.env.REDIS_DB ?? 0) });
}
