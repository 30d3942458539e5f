import {
  generationOf,
  generationsPattern,
  Keys,
  livePattern,
  olderVersionOf,
  servingKey,
} from '../../read-model/keys';
import type { ScriptedRedis } from '../../read-model/scripts';

/** A builder that says nothing for this long is taken for dead. */
export const KEEPER_TTL_MS = 60_000;
/** Other instances may still read a generation that was just replaced. */
const GRACE_MS = 30_000;
const SCAN_COUNT = 1000;
/** Keys in one UNLINK; a fraction of a millisecond of Redis. */
const UNLINK_KEYS = 200;
/** An older release that is quiet for this long does not come back without a rebuild. */
const SERVED_WITHIN_S = 3600;

/**
 * Says when this release was last in use, by the clock of Redis, so that a newer one does not take its read model away.
 * Without a TTL: it must not vanish before its time.
 */
export async function keepServing(redis: ScriptedRedis, prefix: string, version?: number): Promise<void> {
  const [seconds] = await redis.time();
  await redis.set(servingKey(prefix, version), String(seconds));
}

/** Lets a generation that is no longer live stand for a grace period; `collectGarbage` takes it away after that. */
export async function retire(redis: ScriptedRedis, keys: Keys): Promise<void> {
  await redis.set(keys.keeper, 'retired', 'PX', GRACE_MS);
}

/**
 * Takes away generations that are neither live, for whatever model version, nor kept by a living builder or a grace
 * period.
 * @returns the generations that were collected.
 */
export async function collectGarbage(
  redis: ScriptedRedis,
  prefix: string,
  onProgress: () => Promise<void> = async () => undefined,
): Promise<string[]> {
  await forgetOlderReleases(redis, prefix);
  const generations = new Set<string>();
  let seen = 0;
  for await (const key of scan(redis, generationsPattern(prefix))) {
    if (++seen % SCAN_COUNT === 0) await onProgress();
    const generation = generationOf(prefix, key);
    if (generation !== undefined) generations.add(generation);
  }
  const collected: string[] = [];
  for (const generation of generations) {
    const keys = new Keys(prefix, generation);
    if ((await redis.pttl(keys.keeper)) > 0) continue; // one that never expires is nobody's sign of life
    // Looked up last: a generation goes live before its keeper expires.
    if ((await liveGenerations(redis, prefix)).has(generation)) continue;
    await discard(redis, keys, onProgress);
    collected.push(generation);
  }
  return collected;
}

/** Drops the pointers of lower model versions that no instance serves any more. */
async function forgetOlderReleases(redis: ScriptedRedis, prefix: string): Promise<void> {
  for await (const pointer of scan(redis, livePattern(prefix))) {
    const version = olderVersionOf(prefix, pointer);
    if (version === undefined) continue;
    const served = Number(await redis.get(servingKey(prefix, version)).catch(() => null));
    const [now] = await redis.time();
    // One that says nothing at all may just have begun, or Redis lost it: its hour begins now.
    if (!(served > 0)) await keepServing(redis, prefix, version);
    else if (Number(now) - served > SERVED_WITHIN_S) await redis.del(pointer, servingKey(prefix, version));
  }
}

/** Takes a generation away: first what makes it readable or fillable, then its keys. Works when memory is full. */
export async function discard(
  redis: ScriptedRedis,
  keys: Keys,
  onProgress: () => Promise<void> = async () => undefined,
): Promise<void> {
  await redis.del(keys.applied, keys.building);
  let batch: string[] = [];
  for await (const key of scan(redis, keys.pattern)) {
    batch.push(key);
    if (batch.length < UNLINK_KEYS) continue;
    await redis.unlink(batch);
    await onProgress();
    batch = [];
  }
  if (batch.length > 0) await redis.unlink(batch);
}

async function liveGenerations(redis: ScriptedRedis, prefix: string): Promise<Set<string>> {
  const pointers: string[] = [];
  for await (const key of scan(redis, livePattern(prefix))) pointers.push(key);
  if (pointers.length === 0) return new Set();
  return new Set((await redis.mget(pointers)).filter((generation) => generation !== null));
}

/** All keys that match, with SCAN; a key may come twice. The next are asked for while these are used. */
export async function* scan(redis: ScriptedRedis, pattern: string): AsyncGenerator<string> {
  const ask = (cursor: string) => {
    const asked = redis.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    asked.catch(() => undefined); // told when its turn comes
    return asked;
  };
  let next = ask('0');
  for (;;) {
    const [cursor, keys] = await next;
    if (cursor !== '0') next = ask(cursor);
    yield* keys;
    if (cursor === '0') return;
  }
}
