import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { Keys } from '../../src/read-model/keys';

/** The log position of every complete generation of these tests. */
export const AT = { position: 1, eventId: 'ab'.repeat(16) };

/** Generations of a test's own in the Redis of this run, without a service. */
export interface Generations {
  redis: Redis;
  /** An empty one that has a checkpoint, or none. */
  create(options?: { complete: boolean }): Promise<Keys>;
  close(): Promise<void>;
}

export function newGenerations(): Generations {
  const redis = new Redis(process.env.REDIS_URL ?? '');
  const prefix = `t${randomBytes(5).toString('hex')}`;
  let count = 0;
  return {
    redis,
    async create({ complete } = { complete: true }) {
      const keys = new Keys(prefix, `g${count++}`);
      if (complete) await moveTo(redis, keys, AT.position);
      return keys;
    },
    async close() {
      for (let cursor = ''; cursor !== '0';) {
        const [next, keys] = await redis.scan(cursor || '0', 'MATCH', `{${prefix}:*`, 'COUNT', 1000);
        if (keys.length > 0) await redis.del(keys);
        cursor = next;
      }
      redis.disconnect();
    },
  };
}

/** Sets the checkpoint of a generation to another position. */
async function moveTo(redis: Redis, keys: Keys, position: number): Promise<void> {
  await redis.hset(keys.checkpoint, { at: `${position}:${AT.eventId}`, begun: 0, ended: 0 });
}
