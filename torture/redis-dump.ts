import type { ChainableCommander, Redis } from 'ioredis';

const KEYS_PER_ROUND_TRIP = 500;

/** What Redis holds, as far as Tally goes. */
export interface RedisDump {
  applied: string | null;
  /** The live generation: what stands after `{tally:g}:`, and a canonical form of what it holds. */
  live: Record<string, unknown>;
  /** Keys of other generations that nobody keeps alive. */
  orphans: string[];
  /** Keys that are of no generation, and not known bookkeeping. */
  strangers: string[];
}

/** Of a generation, but not of the model. */
const BOOKKEEPING = new Set(['applied', 'writes', 'building', 'keeper', 'fence']);

export async function dumpRedis(redis: Redis, prefix: string): Promise<RedisDump> {
  const generation = await redis.get(`${prefix}:live:1`);
  const start = `{${prefix}:${generation}}:`;
  const all = (await redis.keys('*')).toSorted();
  const live = all.filter((key) => key.startsWith(start));
  const kept = new Set(all.filter((key) => key.endsWith('}:keeper')).map((key) => key.split('}')[0]));
  const model = live.filter((key) => !BOOKKEEPING.has(key.slice(start.length)));
  return {
    applied: await redis.get(`${start}applied`),
    live: Object.fromEntries(await valuesOf(redis, model, start.length)),
    orphans: all.filter(
      (key) => key.startsWith('{') && !key.startsWith(start) && !kept.has(key.split('}')[0]),
    ),
    strangers: all.filter(
      (key) => !key.startsWith('{') && !/^\w+:(live|work|verification|serving):1$/.test(key),
    ),
  };
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
