import type { ChainableCommander, Redis } from 'ioredis';

const KEYS_PER_ROUND_TRIP = 500;

/** What Redis holds of Tally. */
export interface RedisDump {
  /** The bookkeeping of the live generation. */
  checkpoint: Record<string, string>;
  /** The live generation: names without its hash tag, and what they hold, in a canonical form. */
  live: Record<string, unknown>;
  /** Keys of other generations. */
  unused: string[];
  /** Keys that Tally has no use for. */
  unexpected: string[];
}

/** Keys of the read model that belong to no generation, after its root. */
const BESIDE_GENERATIONS = new Set([':live', ':resync', ':verification']);

/** @param root what every key of this log's read model begins with. */
export async function dumpRedis(redis: Redis, root: string): Promise<RedisDump> {
  const start = await livePrefix(redis, root);
  const all = (await redis.keys('*')).toSorted();
  const model = all.filter((key) => key.startsWith(start) && key !== `${start}checkpoint`);
  const isOfGeneration = (key: string) => key.startsWith(`{${root}:`);
  return {
    checkpoint: await redis.hgetall(`${start}checkpoint`).catch(() => ({})), // it is no hash
    live: Object.fromEntries(await valuesOf(redis, model, start.length)),
    unused: all.filter((key) => isOfGeneration(key) && !key.startsWith(start)),
    unexpected: all.filter(
      (key) =>
        !isOfGeneration(key) && !(key.startsWith(root) && BESIDE_GENERATIONS.has(key.slice(root.length))),
    ),
  };
}

/** What every key of the live generation begins with; of none, where the pointer points nowhere. */
export async function livePrefix(redis: Redis, root: string): Promise<string> {
  const live = await redis.get(`${root}:live`).catch(() => null); // it is no string
  return `{${root}:${live ?? ''}}:`;
}

async function valuesOf(redis: Redis, keys: string[], cut: number): Promise<[string, unknown][]> {
  const entries: [string, unknown][] = [];
  for (let at = 0; at < keys.length; at += KEYS_PER_ROUND_TRIP) {
    const some = keys.slice(at, at + KEYS_PER_ROUND_TRIP);
    const types = await replies(some.reduce((pipeline, key) => pipeline.type(key), redis.pipeline()));
    const reads = redis.pipeline();
    for (const [index, key] of some.entries()) read(reads, key, types[index] as string);
    const values = await replies(reads);
    for (const [index, key] of some.entries()) {
      entries.push([key.slice(cut), canonical(types[index] as string, values[index])]);
    }
  }
  return entries;
}

async function replies(pipeline: ChainableCommander): Promise<unknown[]> {
  return ((await pipeline.exec()) ?? []).map(([, reply]) => reply);
}

function read(pipeline: ChainableCommander, key: string, type: string): void {
  if (type === 'string') pipeline.get(key);
  else if (type === 'hash') pipeline.hgetall(key);
  else if (type === 'set') pipeline.smembers(key);
  else if (type === 'zset') pipeline.zrange(key, '0', '-1', 'WITHSCORES');
  else pipeline.type(key);
}

/** As the plain model states it. */
function canonical(type: string, value: unknown): unknown {
  if (type === 'set') return (value as string[]).map(Number).toSorted((a, b) => a - b);
  if (type !== 'zset') return value;
  const flat = value as string[];
  return Object.fromEntries(flat.flatMap((member, at) => (at % 2 === 0 ? [[member, flat[at + 1]]] : [])));
}
