import type { Redis } from 'ioredis';
import type { Bench } from '../bench';
import { usedMemory, type Dataset } from '../data/dataset';
import { TALLY } from '../results';

/** Keys of a family whose memory is asked; the rest is taken to be like them. */
const SAMPLED = 1000;
const SCAN_COUNT = 5000;

export interface Family {
  /** A key of it with its numbers as N. */
  name: string;
  keys: number;
  bytesPerKey: number;
}

export const MEMORY = 'Redis memory per order, everything counted';

/** All that Redis holds more than when it was empty, by order; and which keys it is. */
export async function memory(bench: Bench, { redis, emptyBytes, orders, keyRoot }: Dataset): Promise<void> {
  const bytes = (await usedMemory(redis)) - emptyBytes;
  const families = await familiesOf(redis, keyRoot);
  bench.families.push(...families);
  for (const { name, keys, bytesPerKey } of families) {
    console.log(`  ${name.padEnd(26)} ${keys} keys of ${Math.round(bytesPerKey)} bytes`);
  }
  const info = await redis.info('memory');
  const extra = { totalBytes: bytes, residentBytes: Number(/used_memory_rss:(\d+)/.exec(info)?.[1]) };
  await bench.compareOnce({ name: MEMORY, unit: 'bytes', better: 'less' }, [
    { name: TALLY, measure: () => Promise.resolve({ value: bytes / orders, extra }) },
  ]);
}

async function familiesOf(redis: Redis, keyRoot: string): Promise<Family[]> {
  // Of the keys beside the generations: `{root:generation}:` has the root in it.
  const root = `${keyRoot.slice(1).split(':')[0]}:`;
  const families = new Map<string, { keys: number; sampled: string[] }>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', SCAN_COUNT);
    cursor = next;
    for (const key of keys) {
      const name = key
        .replace(keyRoot, '')
        .replace(root, '')
        .replaceAll(/\d[\d-]*/g, 'N');
      const family = families.get(name) ?? { keys: 0, sampled: [] };
      families.set(name, family);
      family.keys += 1;
      // Which keys come first is chance: SCAN goes through the hash table.
      if (family.sampled.length < SAMPLED) family.sampled.push(key);
    }
  } while (cursor !== '0');
  const measured: Family[] = [];
  for (const [name, { keys, sampled }] of families) {
    const pipeline = redis.pipeline();
    for (const key of sampled) pipeline.memory('USAGE', key, 'SAMPLES', 0);
    const sizes = ((await pipeline.exec()) ?? []).map(([, size]) => Number(size));
    measured.push({ name, keys, bytesPerKey: sizes.reduce((a, b) => a + b, 0) / sizes.length });
  }
  return measured.toSorted((a, b) => b.keys * b.bytesPerKey - a.keys * a.bytesPerKey);
}
