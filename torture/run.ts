import { setTimeout as delay } from 'node:timers/promises';
import { calmFrom } from './check-availability';
import { fuzz } from './contract';
import { FAULTS, type FaultName } from './faults';
import { inject } from './inject';
import { GroupMeter } from './group-meter';
import { heal, HEAL_WITHIN_MS, sweep } from './healing';
import type { History } from './history';
import { judge, judgeRest } from './judge';
import { Random } from './random';
import { verifyByHand } from './resync-by-hand';
import { scheduleOf, type Injection } from './schedule';
import type { Servers } from './servers';
import { setStage, type Stage } from './stage';

/** Where a planted bug is to be caught, nobody waits for the end. */
const PLANTED_HEAL_WITHIN_MS = 20_000;
/** Requests that no client sends, of each operation, once all is well again. */
const FUZZED_REQUESTS = 30;
/** The last notes tell why a run could not be carried out. */
const MAX_NOTES = 10;

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
  /** Requests that nothing may have kept from succeeding. */
  unhindered: number;
  events: number;
  /** Requests made of the OpenAPI document, after the run. */
  fuzzed: number;
  /** The average over the run; undefined where the services do not count it. */
  commandsPerTransaction: number | undefined;
  /** From the last fault until every key was right again and every service took orders. */
  healMs: number | undefined;
  violations: string[];
  history: History;
}

/** One run: clients and faults, then quiet, then the checker. */
export async function run(servers: Servers, build: string, options: RunOptions): Promise<RunResult> {
  const stage = await setStage(servers, build);
  const { history, clients } = stage;
  const groups = new GroupMeter(stage.services);
  try {
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
    let fuzzed = 0;
    let verdict = caughtBy === undefined ? undefined : await judge(stage);
    if (verdict === undefined || !verdict.violations.some((violation) => caughtBy?.test(violation))) {
      const withinMs = caughtBy === undefined ? HEAL_WITHIN_MS : PLANTED_HEAL_WITHIN_MS;
      healMs = await heal(stage, random, withinMs);
      if (caughtBy === undefined) await sweep(stage);
      verdict = await judge(stage);
      verdict.violations.push(...(await judgeRest(stage, verdict.truth)));
      if (caughtBy === undefined) fuzzed = await fuzzOne(stage, random, options.seed, verdict.violations);
    }
    return {
      seed: options.seed,
      faults: countBy(history.faults.filter(({ missed }) => missed !== true).map(({ fault }) => fault)),
      operations: history.operations.length,
      outcomes: countBy(history.operations.map(({ method, outcome }) => `${method} ${outcome}`)),
      readsChecked: verdict.readsChecked,
      readsExcused: verdict.readsExcused,
      unhindered: verdict.unhindered,
      events: verdict.truth.events.length,
      fuzzed,
      commandsPerTransaction,
      healMs,
      violations: verdict.violations,
      history,
    };
  } catch (error) {
    const notes = history.notes.slice(-MAX_NOTES).join('\n');
    throw new Error(
      `the run with seed ${options.seed} could not be carried out: ${String(error)}\n${notes}`,
      {
        cause: error,
      },
    );
  } finally {
    await groups.stop();
    await stage.close();
  }
}

/** Nothing may fail of it, so it begins when no fault can hinder it. Its orders are nobody's wish, so it comes after the judgement; the services must still find nothing wrong. */
async function fuzzOne(stage: Stage, random: Random, seed: number, violations: string[]): Promise<number> {
  const { history } = stage;
  await delay(Math.max(0, calmFrom(history) - history.now()));
  const { url } = random.pick(stage.services);
  const fuzzed = await fuzz(url, { seed, requests: FUZZED_REQUESTS });
  violations.push(...fuzzed.violations);
  const { code, output } = await verifyByHand(stage);
  if (code !== 0) violations.push(`tally verify, after fuzzing: exit ${code}: ${output}`);
  return fuzzed.requests;
}

/** Faults of the same resource take turns, those of different ones overlap as they come. */
async function injectAll(stage: Stage, schedule: Injection[], { durationMs }: RunOptions): Promise<void> {
  const { history } = stage;
  const turns = new Map<string, Promise<void>>();
  const beganAt = history.now();
  const takeTurn = async (before: Promise<void> | undefined, injection: Injection) => {
    await before;
    if (history.now() - beganAt < durationMs)
      await inject(stage, injection.fault, new Random(injection.seed));
  };
  for (const injection of schedule) {
    await delay(Math.max(0, beganAt + injection.atMs - history.now()));
    const { resource } = FAULTS[injection.fault];
    turns.set(resource, takeTurn(turns.get(resource), injection));
  }
  await Promise.all(turns.values());
}

function countBy(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
