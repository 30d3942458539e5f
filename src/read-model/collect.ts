import { z } from 'zod';
import type { Redis } from '../redis/client';
import { loadScript } from '../redis/script';
import type { Keys, KeySpace } from './keys';
import { scan } from './scan';

// Without `#!lua`, so that it runs when memory is full: it only takes away.
const script = loadScript(__dirname, ['checkpoint', 'collect'], '');

const answer = z.enum(['collected', 'no-lease', 'in-use']);

/** Keys in one UNLINK; a fraction of a millisecond of Redis. */
const UNLINK_KEYS = 200;

export interface CollectOptions {
  leaseToken: string;
  /** The checkpoint of a live generation that was found to be of another history. */
  lostAt?: string;
  /** Told between the keys; may throw to stop. What is left is collected next time. */
  onProgress: () => void;
}

/**
 * Removes a generation that is not in use: first its checkpoint, then its other keys. Works when memory is full.
 * @returns false where it is in use, or the lease is another's by now.
 */
export async function collect(
  redis: Redis,
  space: KeySpace,
  keys: Keys,
  { leaseToken, lostAt = '', onProgress }: CollectOptions,
): Promise<boolean> {
  const reply = await script.run(
    redis,
    [space.lease, space.live, keys.checkpoint],
    [leaseToken, keys.generation, lostAt],
  );
  if (answer.parse(reply) !== 'collected') return false;
  await unlinkAll(redis, keys.pattern, onProgress);
  return true;
}

/** Deletes every key that matches. @returns how many there were. */
export async function unlinkAll(
  redis: Redis,
  pattern: string,
  onProgress: () => void = () => undefined,
): Promise<number> {
  let batch: string[] = [];
  let deleted = 0;
  const unlink = async () => {
    deleted += await redis.unlink(batch);
    batch = [];
    onProgress();
  };
  for await (const key of scan(redis, pattern)) {
    batch.push(key);
    if (batch.length >= UNLINK_KEYS) await unlink();
  }
  if (batch.length > 0) await unlink();
  return deleted;
}
