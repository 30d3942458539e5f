import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ROOT } from '../dev/paths';
import { Bench } from './bench';
import { build } from './build';
import { bulk } from './cases/bulk';
import { create } from './cases/create';
import { deleteOrders } from './cases/delete';
import { load } from './cases/load';
import { memory } from './cases/memory';
import { mixed } from './cases/mixed';
import { insistOnReports, openMarket, type Market } from './cases/market';
import { reports } from './cases/reports';
import { start } from './cases/start';
import { throughput } from './cases/throughput';
import { Cleanup } from './cleanup';
import { Dataset } from './data/dataset';
import { judge } from './goals';
import { Generator } from './load/generator';
import { describeMachine } from './machine';
import { markdownOf } from './report/markdown';
import { plotOf } from './report/plot';
import type { Results } from './results';
import { Servers } from './servers';
import { Services } from './services';
import { FULL, QUICK } from './sizes';

const PLOT = join(ROOT, 'docs', 'performance.svg');
const CASE_NAMES = [
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
type CaseName = (typeof CASE_NAMES)[number];

interface Options {
  quick: boolean;
  cases: CaseName[];
  seed: number;
  rounds?: number;
  orders?: number[];
  out?: string;
}

async function main(argv: string[], cleanup: Cleanup): Promise<number> {
  const program = new Command('bench')
    .description('Measures Tally and its baselines in one run, in turn, on servers of its own.')
    .option('--quick', 'smaller sizes, one round: done in under 90 s', false)
    .option('--cases <names>', `only these, by commas: ${CASE_NAMES.join(', ')}`, caseNames, [...CASE_NAMES])
    .option('--seed <number>', 'fixes the data set and the bodies of the requests', natural, 1)
    .option('--rounds <number>', 'how often everything is measured', natural)
    .option('--orders <numbers>', 'other sizes of the data sets, by commas', naturals)
    .option('--out <file>', 'writes the results as JSON to a file; else they are printed')
    .option('--report <file>', 'prints the tables of such a file, draws docs/performance.svg, and ends');
  program.parse(argv, { from: 'user' });
  const { report, ...options } = program.opts<Options & { report?: string }>();
  if (report !== undefined) {
    const results = JSON.parse(await readFile(report, 'utf8')) as Results;
    console.log(markdownOf(results));
    await writeFile(PLOT, plotOf(results));
    return 0;
  }
  const results = await run(options, cleanup);
  const json = `${JSON.stringify(results, undefined, 2)}\n`;
  if (options.out === undefined) console.log(json);
  else await writeFile(options.out, json);
  console.log(markdownOf(results));
  return 0;
}

async function run({ quick, cases, seed, rounds, orders }: Options, cleanup: Cleanup): Promise<Results> {
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
    // Before the others, which leave a second read model behind for a while.
    memory: async () => memory(bench, await dataset(largest)),
    reports: async () => {
      for (const orders of sizes.datasets) await reports(bench, await dataset(orders));
    },
    throughput: async () => throughput(bench, await dataset(largest)),
    bulk: async () => bulk(bench, await dataset(largest)),
    start: async () => start(bench, await dataset(largest)),
  };
  for (const name of CASE_NAMES.filter((one) => cases.includes(one))) {
    const startedAt = performance.now();
    bench.group = name;
    await runs[name]();
    console.log(`(${name}: ${Math.round((performance.now() - startedAt) / 1000)} s)`);
  }
  return {
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
  };
}

function natural(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number above 0.');
  return number;
}

function naturals(text: string): number[] {
  return text.split(',').map(natural);
}

function caseNames(text: string): CaseName[] {
  return text.split(',').map((name) => {
    const known = CASE_NAMES.find((one) => one === name);
    if (known === undefined) throw new InvalidArgumentError(`There is no case ${name}.`);
    return known;
  });
}

void (async () => {
  const cleanup = new Cleanup();
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interrupted = true;
      void cleanup.run().finally(() => process.exit(130));
    });
  }
  let exitCode = 1;
  try {
    exitCode = await main(process.argv.slice(2), cleanup);
  } catch (error) {
    if (!interrupted) console.error(error); // else it fails because its servers are being stopped
  } finally {
    await cleanup.run();
  }
  process.exit(exitCode);
})();
