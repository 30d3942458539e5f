import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench } from './bench';
import { build } from './build';
import { bulk } from './cases/bulk';
import { create } from './cases/create';
import { deleteOrders } from './cases/delete';
import { load } from './cases/load';
import { insistOnReports, openMarket, type Market } from './cases/market';
import { memory } from './cases/memory';
import { mixed } from './cases/mixed';
import { reports } from './cases/reports';
import { start } from './cases/start';
import { throughput } from './cases/throughput';
import type { Cleanup } from './cleanup';
import { Dataset } from './data/dataset';
import { judge } from './goals';
import { Generator } from './load/generator';
import { describeMachine } from './machine';
import type { Results } from './results';
import { Servers } from './servers';
import { Services } from './services';
import { FULL, QUICK } from './sizes';

/** In the order in which they run: memory before what leaves a second read model behind for a while. */
export const CASE_NAMES = [
  'create',
  'delete',
  'mixed',
  'load',
  'memory',
  'reports',
  'throughput',
  'bulk',
  'start',
] as const;
export type CaseName = (typeof CASE_NAMES)[number];

export interface RunOptions {
  quick: boolean;
  cases: CaseName[];
  seed: number;
  rounds?: number;
  /** Other sizes of the data sets. */
  orders?: number[];
}

/** Starts everything that the cases need, and carries them out. `save` is given the results after each. */
export async function runCases(
  { quick, cases, seed, rounds, orders }: RunOptions,
  cleanup: Cleanup,
  save: (results: Results) => Promise<void>,
): Promise<Results> {
  const usual = quick ? QUICK : FULL;
  const sizes = { ...usual, datasets: orders?.toSorted((a, b) => a - b) ?? usual.datasets };
  const workDir = await mkdtemp(join(tmpdir(), `tally-${process.pid}-`));
  cleanup.add(() => rm(workDir, { recursive: true, force: true }));
  const built = await build(join(workDir, 'build'));
  const servers = await Servers.start(cleanup);
  const machine = describeMachine();
  const facts = await servers.facts(await servers.connectRedis(await servers.startRedis('facts')));
  console.log(JSON.stringify({ machine, ...facts }, undefined, 2));
  const generator = Generator.start(built.program('load/worker'));
  cleanup.add(() => generator.stop());
  const services = new Services(built, cleanup);
  const bench = new Bench(
    sizes,
    seed,
    rounds ?? sizes.rounds,
    servers,
    services,
    generator,
    cleanup,
    workDir,
  );

  let market: Promise<Market> | undefined;
  const inMarket = async (measure: (bench: Bench, market: Market) => Promise<void>) => {
    market ??= openMarket(bench);
    await measure(bench, await market);
    await insistOnReports(bench, await market);
  };
  const datasets = new Map<number, Promise<Dataset>>();
  const dataset = (orders: number) => {
    const opened = datasets.get(orders) ?? Dataset.open(bench, orders);
    datasets.set(orders, opened);
    return opened;
  };
  const largest = Math.max(...sizes.datasets);
  const runs: Record<CaseName, () => Promise<void>> = {
    create: () => inMarket(create),
    delete: () => inMarket(deleteOrders),
    mixed: () => inMarket(mixed),
    load: () => inMarket(load),
    memory: async () => memory(bench, await dataset(largest)),
    reports: async () => {
      for (const orders of sizes.datasets) await reports(bench, await dataset(orders));
    },
    throughput: async () => throughput(bench, await dataset(largest)),
    bulk: async () => bulk(bench, await dataset(largest)),
    start: async () => start(bench, await dataset(largest)),
  };
  const results = (): Results => ({
    version: 1,
    finishedAt: new Date().toISOString(),
    quick,
    seed,
    rounds: bench.rounds,
    machine,
    settings: { ...facts, tally: 'defaults, LOG_LEVEL=warn' },
    dataset: {
      users: sizes.users,
      products: sizes.products,
      orders: sizes.datasets,
      loadSeconds: sizes.loadMs / 1000,
    },
    cases: bench.cases,
    families: bench.families,
    goals: judge(bench.cases, sizes.datasets),
  });
  for (const name of CASE_NAMES.filter((one) => cases.includes(one))) {
    const startedAt = performance.now();
    bench.group = name;
    await runs[name]();
    await save(results());
    console.log(`(${name}: ${Math.round((performance.now() - startedAt) / 1000)} s)`);
  }
  return results();
}
