import type { LogPosition } from '../domain/log-position';
import type { Redis } from '../redis/client';
import type { Keys } from './keys';
import { readTogether } from './read-together';

/** The log position that a generation has reached; undefined where it is not complete. See `reading.lua`. */
export async function readCheckpoint(redis: Redis, keys: Keys): Promise<LogPosition | undefined> {
  return (await readTogether(redis, keys, []))?.at;
}

/** A generation that is being filled, as text: by whom, and which chunk comes next. No reader takes it for a position. */
export function fillingAt(token: string, nextChunk: number): string {
  return `filling:${token}:${nextChunk}`;
}

/** Begins a generation that nobody has written to. */
export async function beginFilling(redis: Redis, keys: Keys, token: string): Promise<void> {
  await redis.hset(keys.checkpoint, { at: fillingAt(token, 0), begun: 0, ended: 0 });
}
