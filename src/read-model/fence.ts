import type { Redis } from '../redis/client';
import { loadScript } from '../redis/script';
import type { Keys } from './keys';

/** Longer than any repair of one slice takes; live apply waits for it at most this long. */
export const FENCE_MS = 5_000;

const script = loadScript(__dirname, ['checkpoint', 'fence-state', 'fence']);

/** Takes the fencing lock of a generation. @returns false where another holds it. */
export async function takeFence(redis: Redis, keys: Keys, token: string): Promise<boolean> {
  return (await script.run(redis, [keys.checkpoint], [token, FENCE_MS])) === 1;
}

/** Gives the fencing lock back, if it is still the caller's. */
export async function releaseFence(redis: Redis, keys: Keys, token: string): Promise<void> {
  await script.run(redis, [keys.checkpoint], [token, 0]);
}
