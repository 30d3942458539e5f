import { setTimeout as delay } from 'node:timers/promises';
import { USERS } from './catalogue';
import { DAMAGES, keysSpoiltBy, pickTarget, repairDamage } from './damage';
import type { Fault } from './fault';
import { links, PACKET_FAULTS } from './network-faults';
import { writeAsAnotherProgram } from './other-program';
import { rebuildByHand, repairByHand } from './resync-by-hand';
import { runTally } from './service';
import { ready } from './stage';

/** A resync that takes longer is ended: the fault is over then. */
const RESYNC_LIMIT_MS = 30_000;

export const FAULTS = {
  'kill-service': {
    resource: 'services',
    hinders: { commands: 4000, reads: 4000 },
    about: 'kill -9 of a service process, started again at once',
    async inject({ services }, random) {
      const service = random.pick(services);
      await service.kill();
      await delay(random.int(0, 300));
      service.start();
      return `service ${service.index}`;
    },
  },
  'stop-service': {
    resource: 'services',
    hinders: { commands: 2000, reads: 2000 },
    holdsRows: true,
    about: 'SIGSTOP of a service process, SIGCONT after up to 3 s',
    async inject({ services }, random) {
      const service = random.pick(services);
      service.pause();
      await delay(random.int(300, 3000));
      service.resume();
      return `service ${service.index}`;
    },
  },
  'rolling-restart': {
    resource: 'services',
    hinders: { commands: 4000, reads: 4000 },
    about: 'SIGTERM and start of one service process after the other, as an upgrade does',
    async inject({ services }) {
      const ends: string[] = [];
      for (const service of services) {
        const beganAt = performance.now();
        const code = await service.terminate();
        ends.push(`${Math.round(performance.now() - beganAt)} ms (exit ${code})`);
        service.start();
        // MySQL or Redis may be away at this moment: an upgrade would go on as well.
        await ready(service, 5000).catch(() => undefined);
      }
      return `${services.length} services, which stopped in ${ends.join(', ')}`;
    },
  },
  'clock-jump': {
    resource: 'clock',
    about:
      'the time that a service process sees jumps by up to 40 days, forward or back, and back again later',
    async inject({ services }, random) {
      const service = random.pick(services);
      const seconds = random.pick([30, 3600, 40 * 86_400]) * (random.chance(0.5) ? 1 : -1);
      if (!service.setClock(seconds * 1000)) return undefined; // it is down
      await delay(random.int(500, 3000));
      service.setClock(0);
      return `service ${service.index} by ${seconds} s`;
    },
  },

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

  'mysql-kill': {
    resource: 'mysql',
    hinders: { commands: 4000 },
    about: 'kill -9 of MySQL, started again',
    async inject({ servers }, random) {
      await servers.mysql.kill();
      await delay(random.int(0, 300));
      await servers.mysql.start();
      return '';
    },
  },
  'mysql-freeze': {
    resource: 'mysql',
    hinders: { commands: 3000 },
    about: 'SIGSTOP of MySQL, SIGCONT after up to 2.5 s',
    async inject({ servers }, random) {
      servers.mysql.signal('SIGSTOP');
      await delay(random.int(200, 2500));
      servers.mysql.signal('SIGCONT');
      return '';
    },
  },
  'other-program': {
    resource: 'rows',
    about: 'another program inserts, changes and deletes orders, users and products, in MySQL itself',
    inject: writeAsAnotherProgram,
  },

  'row-locked': {
    resource: 'row-lock',
    hinders: { commands: 2000 },
    about: 'another session holds the row of one user FOR UPDATE, for up to 2 s',
    async inject(stage, random) {
      const sql = await stage.connect();
      try {
        const user = random.int(1, USERS);
        await sql.beginTransaction();
        await sql.query('SELECT id FROM users WHERE id = ? FOR UPDATE', [user]);
        const ms = random.int(300, 2000);
        await delay(ms);
        await sql.rollback();
        return `user ${user} for ${ms} ms`;
      } finally {
        sql.destroy();
      }
    },
  },

  ...links('mysql'),
  ...links('redis'),

  ...PACKET_FAULTS,

  'rebuild-twice': {
    resource: 'command-line',
    about: '`tally rebuild`, by two at once',
    inject: async (stage) => twice(() => rebuildByHand(stage)),
  },
  'repair-twice': {
    resource: 'command-line',
    about: '`tally repair`, by two at once',
    inject: async (stage) => twice(() => repairByHand(stage)),
  },
  'resync-killed': {
    resource: 'command-line',
    about: '`tally rebuild` or `tally repair`, killed on the way',
    async inject({ build, directEnv }, random) {
      const command = random.pick(['rebuild', 'repair']);
      const run = runTally(build, directEnv, [command], RESYNC_LIMIT_MS);
      await delay(random.int(250, 900)); // it takes some 200 ms to begin
      run.kill();
      const { code } = await run.done;
      return code === null ? command : undefined;
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

export function faultOf(name: FaultName): Fault {
  return FAULTS[name];
}

async function twice(run: () => Promise<{ code: number | null }>): Promise<string> {
  const outcomes = await Promise.all([run(), run()]);
  return outcomes.map(({ code }) => `exit ${code}`).join(', ');
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
