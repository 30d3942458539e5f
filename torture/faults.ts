import { setTimeout as delay } from 'node:timers/promises';
import { DAMAGES, mend, pickKey, spoilsAll } from './damage';
import type { DamageWindow } from './history';
import { writeAsAnotherProgram } from './other-program';
import type { Proxy } from './proxy';
import type { Random } from './random';
import { rebuildByHand, repairByHand } from './resync-by-hand';
import { runTally } from './service';
import { ready, type Stage } from './stage';

/** Faults that need the same resource take turns. */
type Resource =
  'services' | 'clock' | 'redis' | 'mysql' | 'redis-links' | 'mysql-links' | 'command-line' | 'rows';

interface Fault {
  resource: Resource;
  /** What it does to whom, in the words of the report. */
  about: string;
  /**
   * Does it, and ends it: afterwards nothing but its consequences is left.
   * @returns a detail for the history; undefined where it had nothing to hit, and does not count.
   */
  inject(stage: Stage, random: Random): Promise<string | undefined>;
}

/** A resync that takes longer is ended: the fault is over then. */
const RESYNC_LIMIT_MS = 30_000;
/** How long an armed proxy waits for the packet that it is to lose. */
const ARMED_MS = 3000;

export const FAULTS = {
  'kill-service': {
    resource: 'services',
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
    about: 'SIGTERM and start of one service process after the other, as an upgrade does',
    async inject({ services }) {
      for (const service of services) {
        await service.terminate();
        service.start();
        // MySQL or Redis may be away at this moment: an upgrade would go on as well.
        await ready(service, 5000).catch(() => undefined);
      }
      return `${services.length} services`;
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
    about: 'FLUSHALL, and SCRIPT FLUSH',
    async inject({ redis }) {
      await redis.multi().flushall().script('FLUSH').exec();
      return '';
    },
  },
  'delete-key': damage('delete', 'a key of the read model is deleted'),
  'change-key': damage('change', 'a key of the read model is changed: a value, a member, the tip'),
  'wrong-type': damage('retype', 'a key of the read model becomes one of another type'),
  'redis-empty': {
    resource: 'redis',
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
    about: 'kill -9 of Redis, started again with up to 8 KiB missing at the end of its append-only file',
    async inject(stage, random) {
      const { redis } = stage.servers;
      const { history } = stage;
      // A repair that is cut off leaves the damage that it mended: then nothing is promised until the next one.
      const window = { from: history.now(), to: Infinity };
      const redamaged = history.damagedIn(window.from - 15_000, window.from).length > 0;
      if (redamaged) history.damage.push(window);
      const bytes = random.int(0, 8192);
      try {
        await redis.kill();
        await redis.cutLog(bytes);
        await redis.start();
      } finally {
        if (redamaged) await mend(stage, window);
      }
      return `${bytes} bytes`;
    },
  },
  'redis-freeze': {
    resource: 'redis',
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
    about: 'another program inserts, changes and deletes orders, and renames a product, in MySQL itself',
    inject: writeAsAnotherProgram,
  },

  ...links('mysql'),
  ...links('redis'),

  'commit-answer-lost': {
    resource: 'mysql-links',
    about: 'exactly the answers to one to three COMMITs are lost, with their connections',
    inject: async ({ mysqlProxies }, random) => loseAnswers(mysqlProxies, isCommit, random.int(1, 3)),
  },
  'commit-delivered-late': {
    resource: 'mysql-links',
    about: 'exactly one COMMIT is delivered only after its client has given up',
    async inject({ mysqlProxies }, random) {
      const proxy = random.pick(mysqlProxies);
      proxy.holdRequest(isCommit);
      await happens(() => proxy.isHolding());
      proxy.holdRequest(undefined);
      const late = await happens(() => proxy.isHeldRequestGivenUp());
      await delay(random.int(0, 1000));
      proxy.deliverHeld();
      return late ? '' : undefined;
    },
  },
  'apply-answer-lost': {
    resource: 'redis-links',
    about: 'the answers that follow one to three apply scripts are lost, with their connections',
    inject: async ({ redisProxies }, random) => loseAnswers(redisProxies, isApply, random.int(1, 3)),
  },

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
    about,
    async inject(stage, random) {
      const key = await pickKey(stage, random, kind);
      if (key === undefined) return undefined;
      const all = spoilsAll(stage, key);
      const window: DamageWindow = { from: stage.history.now(), to: Infinity, ...(all ? {} : { key }) };
      stage.history.damage.push(window);
      try {
        await DAMAGES[kind](stage, random, key);
      } finally {
        await mend(stage, window);
      }
      return key;
    },
  };
}

/** What a network does to the connections of one service, or of all, with a server. */
function links<S extends 'mysql' | 'redis'>(server: S) {
  const resource: Resource = `${server}-links`;
  const name = server === 'mysql' ? 'MySQL' : 'Redis';
  const proxiesOf = (stage: Stage, random: Random): Proxy[] => {
    const all = server === 'mysql' ? stage.mysqlProxies : stage.redisProxies;
    return random.chance(0.5) ? all : [random.pick(all)];
  };
  const during = async (
    proxies: Proxy[],
    ms: number,
    begin: (p: Proxy) => unknown,
    end: (p: Proxy) => unknown,
  ) => {
    await Promise.all(proxies.map(begin));
    await delay(ms);
    await Promise.all(proxies.map(end));
    return `${proxies.length} of the services for ${ms} ms`;
  };
  return {
    [`${server}-cut`]: {
      resource,
      about: `connections to ${name} are reset, and new ones refused for up to 1 s`,
      inject: (stage: Stage, random: Random) =>
        during(
          proxiesOf(stage, random),
          random.int(0, 1000),
          (p) => p.cut(),
          (p) => p.restore(),
        ),
    },
    [`${server}-delay`]: {
      resource,
      about: `packets from and to ${name} take up to 300 ms longer, for up to 2 s`,
      inject: (stage: Stage, random: Random) => {
        const ms = random.int(20, 300);
        return during(
          proxiesOf(stage, random),
          random.int(300, 2000),
          (p) => p.delay(ms),
          (p) => p.delay(0),
        );
      },
    },
    [`${server}-half-open`]: {
      resource,
      about: `connections to ${name} are dead on the server's side, and the service is never told`,
      inject: (stage: Stage, random: Random) =>
        during(
          proxiesOf(stage, random),
          0,
          (p) => p.halfOpen(),
          () => undefined,
        ),
    },
    [`${server}-black-hole`]: {
      resource,
      about: `packets from and to ${name} vanish for up to 2.5 s; those connections stay silent for ever`,
      inject: (stage: Stage, random: Random) =>
        during(
          proxiesOf(stage, random),
          random.int(300, 2500),
          (p) => p.blackHole(),
          (p) => p.endBlackHole(),
        ),
    },
  } as Record<`${S}-${'cut' | 'delay' | 'half-open' | 'black-hole'}`, Fault>;
}

/** The packet that ends a write transaction; READ COMMITTED is said elsewhere. */
function isCommit(request: Buffer): boolean {
  return request.includes(';COMMIT');
}

/** Of all that is sent to Redis, only an apply script names both. */
function isApply(request: Buffer): boolean {
  return request.includes('}:applied') && request.includes('}:fence');
}

async function loseAnswers(
  proxies: Proxy[],
  isRequest: (request: Buffer) => boolean,
  count: number,
): Promise<string | undefined> {
  let lost = 0;
  for (const proxy of proxies)
    proxy.loseAnswers((request) => isRequest(request) && lost < count && ++lost > 0);
  await happens(() => lost === count);
  for (const proxy of proxies) proxy.loseAnswers(undefined);
  return lost === 0 ? undefined : `${lost} answers`;
}

async function happens(condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + ARMED_MS;
  while (!condition() && performance.now() < deadline) await delay(5);
  return condition();
}
