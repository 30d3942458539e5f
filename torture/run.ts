import { setTimeout as delay } from 'node:timers/promises';
import { checkKeys, checkLog, checkOrders, checkReads, checkTables } from './check';
import { Clients } from './clients';
import { FAULTS, faultOf, type FaultName } from './faults';
import { GroupMeter } from './group-meter';
import type { History } from './history';
import { Random } from './random';
import { dumpRedis } from './redis-dump';
import { repairByHand } from './resync-by-hand';
import { scheduleOf, type Injection } from './schedule';
import type { MortalServer, Servers } from './servers';
import type { ServiceListener } from './service';
import { setStage, type Stage } from './stage';
import { readTruth } from './truth';

const SERVICES = 3;
/** After the last fault, the read model must be whole again within this time. */
const HEAL_WITHIN_MS = 60_000;
const SWEEP_ATTEMPTS = 60;
/** For one with a planted bug, which is not to be waited for. */
const PLANTED_HEAL_WITHIN_MS = 20_000;

export interface RunOptions {
  seed: number;
  clients: number;
  durationMs: number;
  /** Mean time from one fault to the next. */
  gapMs: number;
  faults: FaultName[];
  /** The run is to catch a planted bug: it may end with a violation that says this. */
  caughtBy?: RegExp;
}

export interface RunResult {
  seed: number;
  /** How often each fault was injected and hit something. */
  faults: Record<string, number>;
  operations: number;
  outcomes: Record<string, number>;
  readsChecked: number;
  readsExcused: number;
  events: number;
  /** The average over the run; undefined where the services do not count it. */
  commandsPerTransaction: number | undefined;
  /** From the last fault until every key was right again and every service took orders. */
  healMs: number | undefined;
  violations: string[];
  history: History;
}

/** One run: clients and faults, then quiet, then the checker. */
export async function run(servers: Servers, build: string, options: RunOptions): Promise<RunResult> {
  const stage = await setStage(servers, build, `torture_${Date.now()}`, SERVICES, listenerOf);
  const { history } = stage;
  const groups = new GroupMeter(stage.services);
  try {
    const clients = new Clients(stage.services, history);
    await clients.fillCatalogue();
    const random = new Random(options.seed);
    clients.start(options.clients, random.fork());
    await injectAll(
      stage,
      scheduleOf(options.seed, options.durationMs, options.gapMs, options.faults),
      options,
    );
    await clients.stop();
    const commandsPerTransaction = await groups.stop();

    const { caughtBy } = options;
    let healMs: number | undefined;
    let verdict = caughtBy === undefined ? undefined : await judge(stage, clients);
    if (verdict === undefined || !verdict.violations.some((violation) => caughtBy?.test(violation))) {
      const withinMs = caughtBy === undefined ? HEAL_WITHIN_MS : PLANTED_HEAL_WITHIN_MS;
      healMs = await heal(stage, clients, random, withinMs);
      if (caughtBy === undefined) await sweep(stage);
      verdict = await judge(stage, clients);
      const dump = await dumpRedis(stage.redis, stage.prefix);
      verdict.violations.push(...checkTables(verdict.truth), ...checkKeys(verdict.truth, dump));
    }
    return {
      seed: options.seed,
      faults: countBy(history.faults.map(({ fault }) => fault)),
      operations: history.operations.length,
      outcomes: countBy(history.operations.map(({ method, outcome }) => `${method} ${outcome}`)),
      readsChecked: verdict.checked,
      readsExcused: verdict.excused,
      events: verdict.truth.events.length,
      commandsPerTransaction,
      healMs,
      violations: verdict.violations,
      history,
    };
  } finally {
    await groups.stop();
    await stage.close();
  }
}

/** Measured only: it loses orders, which no run may. */
export const MYSQL_RESTORED = 'mysql-restored';

/** Each fault alone, `rounds` times under load. @returns the times until all was well again, in milliseconds. */
export async function measureHealing(
  servers: Servers,
  build: string,
  {
    seed,
    rounds,
    faults,
    clients: count,
  }: Pick<RunOptions, 'seed' | 'faults' | 'clients'> & { rounds: number },
  told: (fault: FaultName | typeof MYSQL_RESTORED, times: number[]) => void,
): Promise<string[]> {
  const stage = await setStage(servers, build, `torture_${Date.now()}`, SERVICES, listenerOf);
  stage.mendsDamage = false; // what the scheduled verification takes is the question
  try {
    const clients = new Clients(stage.services, stage.history);
    await clients.fillCatalogue();
    const random = new Random(seed);
    clients.start(count, random.fork());
    for (const name of faults) {
      const times: number[] = [];
      while (times.length < rounds) {
        clients.resume();
        await delay(500);
        const detail = await faultOf(name).inject(stage, random.fork());
        if (detail === undefined) continue;
        clients.pause();
        times.push(await heal(stage, clients, random, HEAL_WITHIN_MS));
        for (const window of stage.history.damage) window.to = Math.min(window.to, stage.history.now());
      }
      told(name, times);
    }
    clients.pause();
    const { violations } = await judge(stage, clients);
    // From here on orders are missing that were acknowledged: a backup has no newer ones. Only the healing counts.
    const times: number[] = [];
    while (times.length < rounds) {
      await restoreBackup(servers.mysql, () => clients.resume());
      clients.pause();
      times.push(await heal(stage, clients, random, HEAL_WITHIN_MS));
    }
    told(MYSQL_RESTORED, times);
    await clients.stop();
    return violations;
  } finally {
    await stage.close();
  }
}

/** MySQL gets the files that it had before the last orders: a restored backup, or a failover to a copy without them. */
async function restoreBackup(mysql: MortalServer, thenOrders: () => void): Promise<void> {
  await mysql.kill();
  const backup = await mysql.snapshot();
  await mysql.start();
  thenOrders();
  await delay(1500);
  await mysql.kill();
  await mysql.replaceFiles(backup);
  await mysql.start();
}

/** Faults of the same resource take turns, those of different ones overlap as they come. */
async function injectAll(stage: Stage, schedule: Injection[], { durationMs }: RunOptions): Promise<void> {
  const { history } = stage;
  const turns = new Map<string, Promise<void>>();
  const beganAt = history.now();
  const takeTurn = async (before: Promise<void> | undefined, injection: Injection) => {
    await before;
    if (history.now() - beganAt < durationMs) await inject(stage, injection);
  };
  for (const injection of schedule) {
    await delay(Math.max(0, beganAt + injection.atMs - history.now()));
    const { resource } = FAULTS[injection.fault];
    turns.set(resource, takeTurn(turns.get(resource), injection));
  }
  await Promise.all(turns.values());
}

async function inject(stage: Stage, { fault, seed }: Injection): Promise<void> {
  const { history } = stage;
  const startedAt = history.now();
  const detail = await faultOf(fault)
    .inject(stage, new Random(seed))
    .catch((error: unknown) => {
      // It met another fault: the server that it needs is away. It is not counted.
      history.notes.push(`${fault}: ${String(error)}`);
      return undefined;
    });
  if (detail !== undefined) history.faults.push({ fault, detail, startedAt, endedAt: history.now() });
}

/** Waits until every service takes orders, every report shows them, and every key is right. @returns how long it took. */
async function heal(stage: Stage, clients: Clients, random: Random, withinMs: number): Promise<number> {
  const { history } = stage;
  const beganAt = history.now();
  const overdue = () => history.now() - beganAt > withinMs;
  for (const service of stage.services) {
    for (;;) {
      const { outcome, body } = await clients.create(-1, random, service, false);
      if (outcome === 'ok' && (body as { projected: boolean }).projected) break;
      if (overdue()) {
        history.violated(`service ${service.index} does not take orders again`);
        return Math.round(history.now() - beganAt);
      }
      await delay(20);
    }
  }
  const sql = await stage.connect();
  try {
    for (;;) {
      const truth = await readTruth(sql, Number.MAX_SAFE_INTEGER);
      const wrong = checkKeys(truth, await dumpRedis(stage.redis, stage.prefix));
      if (wrong.length === 0) break;
      if (overdue()) {
        history.violated(`the read model did not become right again: ${wrong.join('; ')}`);
        break;
      }
      await delay(20);
    }
  } finally {
    sql.destroy();
  }
  return Math.round(history.now() - beganAt);
}

/** Ends all grace periods, and lets the next repair collect what is left of generations that are not live. */
async function sweep(stage: Stage): Promise<void> {
  const keepers = await stage.redis.keys('*}:keeper');
  if (keepers.length > 0) await stage.redis.del(keepers);
  for (let attempt = 1; (await repairByHand(stage)).code !== 0; attempt++) {
    if (attempt === SWEEP_ATTEMPTS) {
      stage.history.violated('repair did not succeed after the run');
      return;
    }
    await delay(500); // a service is at it
  }
}

async function judge(stage: Stage, clients: Clients) {
  const sql = await stage.connect();
  const truth = await readTruth(sql).finally(() => sql.destroy());
  const reads = checkReads(truth, stage.history);
  const violations = [
    ...stage.history.violations,
    ...checkLog(truth),
    ...checkOrders(truth, clients.wishes),
    ...reads.faults,
  ];
  return { truth, violations, checked: reads.checked, excused: reads.excused };
}

function listenerOf(history: History): ServiceListener {
  return {
    logged(service, line, text) {
      if (line.level >= 40) history.logs.push({ at: history.now(), line: `service ${service}: ${text}` });
      if (line.msg.startsWith('a freshly built read model differed')) {
        history.violated(`service ${service} built a wrong read model: ${text}`);
      }
      if (line.finding !== undefined) history.found(`service ${service}`, line.finding);
    },
    died(service, how, lastLines) {
      history.violated(
        `service ${service} ended by itself, or not at all (${how}): ${lastLines.slice(-15).join('\n')}`,
      );
    },
  };
}

function countBy(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
