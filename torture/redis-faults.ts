import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { DAMAGES, keysSpoiltBy, pickTarget, repairDamage } from './damage';
import type { Fault } from './fault';
import { failOverToStaleReplica } from './stale-replica';

/** What is done to Redis and to what it holds. */
export const REDIS_FAULTS = {
  flushall: {
    resource: 'redis',
    hinders: { reads: 4000 },
    about: 'FLUSHALL, and SCRIPT FLUSH',
    async inject({ redis }) {
      await redis.multi().flushall().script('FLUSH').exec();
      return '';
    },
  },
  'delete-key': damage('delete', 'a key of the read model, or a field of its checkpoint, is deleted'),
  'change-key': damage(
    'change',
    'a key of the read model is changed: a value, a member, a field of the checkpoint, the live pointer, a lease',
  ),
  'wrong-type': damage('retype', 'a key of the read model becomes one of another type'),
  'redis-empty': {
    resource: 'redis',
    hinders: { reads: 4000 },
    about: 'kill -9 of Redis, started again without its files',
    async inject({ servers }, random) {
      await servers.redis.kill();
      await servers.redis.replaceFiles(undefined);
      await delay(random.int(0, 500));
      await servers.redis.start();
      return '';
    },
  },
  'redis-older-snapshot': {
    resource: 'redis',
    hinders: { reads: 4000 },
    about: 'kill -9 of Redis, started again from files of up to 3 s before',
    async inject({ servers }, random) {
      const snapshot = await servers.redis.snapshot();
      await delay(random.int(300, 3000));
      await servers.redis.kill();
      await servers.redis.replaceFiles(snapshot);
      await servers.redis.start();
      return '';
    },
  },
  'redis-stale-replica': {
    resource: 'redis',
    hinders: { reads: 4000 },
    about: 'Redis fails over to a replica that was cut off up to 2 s before, and lacks the writes since',
    inject: (stage, random) => failOverToStaleReplica(stage, random.int(0, 2000)),
  },
  'redis-cut-log': {
    resource: 'redis',
    hinders: { reads: 4000 },
    about: 'kill -9 of Redis, started again with up to 8 KiB missing at the end of its append-only file',
    async inject(stage, random) {
      const { redis } = stage.servers;
      const { history } = stage;
      // Where a repair is cut off, its damage is back: then nothing is promised until the next repair.
      const window = { from: history.now(), to: Infinity };
      const isBack = history.damagedIn(window.from - 15_000, window.from).length > 0;
      if (isBack) history.damage.push(window);
      const bytes = random.int(0, 8192);
      try {
        await redis.kill();
        await redis.cutLog(bytes);
        await redis.start();
      } finally {
        if (isBack) await repairDamage(stage, window);
      }
      return `${bytes} bytes`;
    },
  },
  'redis-freeze': {
    resource: 'redis',
    hinders: { reads: 3000 },
    about: 'SIGSTOP of Redis, SIGCONT after up to 2 s',
    async inject({ servers }, random) {
      servers.redis.signal('SIGSTOP');
      await delay(random.int(200, 2000));
      servers.redis.signal('SIGCONT');
      return '';
    },
  },
  'redis-out-of-memory': {
    resource: 'redis',
    hinders: { positions: 4000 },
    keepsFromBuilding: true,
    about: 'maxmemory below what is used, for up to 2 s, without eviction',
    inject: async ({ redis }, random) => withShortMemory(redis, random.int(300, 2000)),
  },
  'redis-memory-short': {
    resource: 'redis',
    hinders: { positions: 4000 },
    keepsFromBuilding: true,
    isRare: true,
    about: 'maxmemory below what is used, for 10 s, without eviction',
    inject: async ({ redis }) => withShortMemory(redis, 10_000),
  },
  'redis-eviction': {
    resource: 'redis',
    hinders: { reads: 6000 },
    about: 'maxmemory-policy is allkeys-lru for 1 s, and up to 400 KiB too much are evicted',
    async inject(stage, random) {
      const { redis, history } = stage;
      const window = { from: history.now(), to: Infinity };
      history.damage.push(window);
      const before = await infoOf(redis, 'evicted_keys');
      try {
        const tooMuch = random.int(20, 400) * 1024;
        await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
        await redis.config('SET', 'maxmemory', Math.max(1, (await infoOf(redis, 'used_memory')) - tooMuch));
        await delay(1000);
      } finally {
        await redis.config('SET', 'maxmemory', '0');
        await redis.config('SET', 'maxmemory-policy', 'noeviction');
        await repairDamage(stage, window);
      }
      return `${(await infoOf(redis, 'evicted_keys')) - before} keys`;
    },
  },
  'redis-pause': {
    resource: 'redis',
    hinders: { reads: 3000 },
    about: 'CLIENT PAUSE of all clients for up to 1.5 s',
    async inject({ redis }, random) {
      const ms = random.int(200, 1500);
      await redis.client('PAUSE', ms, 'ALL');
      await delay(ms);
      return `for ${ms} ms`;
    },
  },
  'redis-rewrite-killed': {
    resource: 'redis',
    hinders: { reads: 4000 },
    about: 'kill -9 of Redis within 50 ms after BGREWRITEAOF, started again with its files',
    async inject({ redis, servers }, random) {
      await redis.bgrewriteaof();
      await delay(random.int(0, 50));
      await servers.redis.kill();
      await servers.redis.start();
      return '';
    },
  },
  'script-flush': {
    resource: 'redis',
    about: 'SCRIPT FLUSH',
    async inject({ redis }) {
      await redis.script('FLUSH');
      return '';
    },
  },
} as const satisfies Record<string, Fault>;

/** Refuses what needs memory, for a while. */
async function withShortMemory(redis: Redis, ms: number): Promise<string> {
  await redis.config('SET', 'maxmemory', '1mb');
  await delay(ms);
  await redis.config('SET', 'maxmemory', '0');
  return `for ${ms} ms`;
}

/** A figure of INFO. */
async function infoOf(redis: Redis, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info())?.[1]);
}

function damage(kind: keyof typeof DAMAGES, about: string): Fault {
  return {
    resource: 'redis',
    hinders: { reads: 6000 },
    about,
    async inject(stage, random) {
      const target = await pickTarget(stage, random, kind);
      if (target === undefined) return undefined;
      const { key, field } = target;
      const keys = keysSpoiltBy(stage, target);
      const window = { from: stage.history.now(), to: Infinity, ...(keys === undefined ? {} : { keys }) };
      stage.history.damage.push(window);
      try {
        await DAMAGES[kind](stage, random, target);
      } finally {
        await repairDamage(stage, window);
      }
      return field === undefined ? key : `${key} ${field}`;
    },
  };
}
