import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault';
import type { Proxy } from './proxy';
import type { Random } from './random';
import type { Stage } from './stage';

/** How long an armed proxy waits for the packet that it is to lose. */
const ARMED_MS = 3000;

/** What a network does to the connections of one service, or of all, with a server. */
export function links<S extends 'mysql' | 'redis'>(server: S) {
  const resource: Fault['resource'] = `${server}-links`;
  const name = server === 'mysql' ? 'MySQL' : 'Redis';
  const hinders: Fault['hinders'] = server === 'mysql' ? { commands: 5000 } : { reads: 4000 };
  // Its sessions may hold rows until MySQL ends them (`wait_timeout` of the writer).
  const hindersAsSilent: Fault['hinders'] = server === 'mysql' ? { commands: 10_000 } : hinders;
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
      hinders,
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
      hinders,
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
      hinders,
      about: `connections to ${name} are dead at the server's end, and the service is never told`,
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
      hinders: hindersAsSilent,
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

/** Faults that hit exactly the packets, or the work, that matter. */
export const PACKET_FAULTS = {
  'commit-answer-lost': {
    resource: 'mysql-links',
    hinders: { commands: 3000 },
    about: 'exactly the answers to one to three COMMITs are lost, with their connections',
    inject: async ({ mysqlProxies }, random) => loseAnswers(mysqlProxies, isCommit, random.int(1, 3)),
  },
  'commit-delivered-late': {
    resource: 'mysql-links',
    hinders: { commands: 4000 },
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
    inject: async ({ redisProxies }, random) => loseAnswers(redisProxies, isAdvance, random.int(1, 3)),
  },
  'rebuild-cut-off': {
    resource: 'mysql-links',
    hinders: { commands: 5000, reads: 6000 },
    about: 'FLUSHALL, and the connections to MySQL go dead while the read model is built anew',
    async inject({ redis, mysqlProxies }, random) {
      for (const proxy of mysqlProxies) proxy.delay(100); // so that building takes a while
      await redis.flushall();
      await delay(random.int(200, 800));
      for (const proxy of mysqlProxies) {
        proxy.halfOpen();
        proxy.delay(0);
      }
      return '';
    },
  },
} as const satisfies Record<string, Fault>;

/** The packet that ends a write transaction. Only there does COMMIT follow another statement. */
function isCommit(request: Buffer): boolean {
  return request.includes(';COMMIT');
}

/**
 * A packet that brings events to a generation: EVALSHA or EVAL with one key, a checkpoint, and five arguments, of which the
 * first is a log position. While a generation is being filled, another text stands there.
 */
const ADVANCE =
  /\*9\r\n\$\d+\r\neval(sha)?\r\n\$\d+\r\n[^\r]*\r\n\$1\r\n1\r\n\$\d+\r\n\{[^}]*\}:checkpoint\r\n\$\d+\r\n\d+:[0-9a-f]{32}\r\n/i;

function isAdvance(request: Buffer): boolean {
  return request.includes('}:checkpoint') && ADVANCE.test(request.toString('latin1'));
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
