import { setTimeout as delay } from 'node:timers/promises';
import { DAMAGES, keysSpoiltBy, pickTarget, repairDamage } from './damage';
import type { Fault } from './fault';

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
    about: 'maxmemory below what is used, for up to 2 s, without eviction',
    async inject({ redis }, random) {
      await redis.config('SET', 'maxmemory', '1mb');
      await delay(random.int(300, 2000));
      await redis.config('SET', 'maxmemory', '0');
      return '';
    },
  },
} as const satisfies Record<string, Fault>;

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
