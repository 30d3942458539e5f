import { z } from 'zod';
import type { Bench } from '../bench';
import type { Dataset } from '../data/dataset';
import type { Program } from '../program';
import { TALLY, type Sample } from '../results';
import { ALL_DAYS, get } from './report-plan';

const WITHIN_MS = 1_200_000;
/** Reports a second that are asked while the model is rebuilt. */
const LIVE_PER_SECOND = 50;
const LIVE_CONNECTIONS = 16;

export const RAW_STREAM = 'raw MySQL stream';
const RAW_ORDERS = 'raw Redis load, order hashes';
export const RAW_KEYS = 'raw Redis load, every key';
export const REBUILD = 'rebuild: load and catch-up';
export const VERIFY = 'verify';
export const IMPORT = 'import, catalogue included';
export const LIVE_REPORTS = 'live reports during a rebuild';

const streamed = z.object({ orders: z.number(), seconds: z.number() });
const loaded = z.object({ keys: z.number(), seconds: z.number() });

/** Rebuild, verification and import beside the least that MySQL and Redis take for the same data. */
export async function bulk(bench: Bench, dataset: Dataset): Promise<void> {
  const { orders } = dataset;
  const raw = [
    { name: RAW_STREAM, measure: () => rawStream(bench, dataset) },
    { name: RAW_ORDERS, measure: () => rawLoad(bench, dataset, 'order:') },
    { name: RAW_KEYS, measure: () => rawLoad(bench, dataset, '') },
  ];
  const rebuilt = await bench.compare({ name: REBUILD, unit: 's', better: 'less' }, [
    { name: TALLY, measure: () => rebuild(bench, dataset) },
    ...raw,
  ]);
  const rebuiltSeconds = rebuilt.subjects.find(({ name }) => name === TALLY)?.median ?? NaN;
  await bench.compare({ name: VERIFY, unit: 's', better: 'less' }, [
    { name: TALLY, measure: () => verify(bench, dataset) },
    { name: REBUILD, measure: () => Promise.resolve({ value: rebuiltSeconds }) },
  ]);
  await bench.compareOnce({ name: IMPORT, unit: 'orders/s', better: 'more' }, [
    {
      name: TALLY,
      measure: () =>
        Promise.resolve({
          value: orders / dataset.importSeconds,
          extra: { seconds: dataset.importSeconds },
        }),
    },
    ...rebuilt.subjects
      .filter(({ name }) => name !== TALLY)
      .map(({ name, median }) => ({ name, measure: () => Promise.resolve({ value: orders / median }) })),
  ]);
  await bench.compare({ name: LIVE_REPORTS, unit: 'ms (p99)', better: 'less' }, [
    { name: TALLY, measure: () => liveReports(bench, dataset) },
  ]);
}

/** One join or two queries: the faster counts. */
async function rawStream({ services }: Bench, { stores, orders }: Dataset): Promise<Sample> {
  const extra: Record<string, number> = {};
  for (const [name, options] of [
    ['joinSeconds', ['--join']],
    ['twoQueriesSeconds', []],
  ] as const) {
    const program = services.baselineCommand('raw-mysql-stream', [...options], {
      DATABASE_URL: stores.databaseUrl,
    });
    await program.succeed(WITHIN_MS);
    const result = streamed.parse(JSON.parse(program.lines.at(-1)?.text ?? ''));
    if (result.orders !== orders) throw new Error(`the stream had ${result.orders} orders`);
    extra[name] = result.seconds;
  }
  return { value: Math.min(...Object.values(extra)), extra };
}

async function rawLoad(bench: Bench, dataset: Dataset, only: string): Promise<Sample> {
  const target = await bench.emptyRedis();
  const program = bench.services.baselineCommand('raw-redis-load', ['--only', only], {
    SOURCE_REDIS_URL: dataset.stores.redisPath,
    REDIS_URL: target,
    KEY_ROOT: dataset.keyRoot,
  });
  await program.succeed(WITHIN_MS);
  const { keys, seconds } = loaded.parse(JSON.parse(program.lines.at(-1)?.text ?? ''));
  await bench.emptyRedis(); // its memory
  return { value: seconds, extra: { keys } };
}

/** `tally rebuild` beside the idle service. What it prints tells its phases apart, and how long it verified. */
async function rebuild(bench: Bench, dataset: Dataset): Promise<Sample> {
  const sample = await finishRebuild(bench.services.command(dataset.stores, ['rebuild']));
  await dataset.settled();
  return sample;
}

async function finishRebuild(program: Program): Promise<Sample> {
  const wholeSeconds = await program.succeed(WITHIN_MS);
  const began = program.printedAt(/^rebuild: /);
  const verifying = program.printedAt(/^rebuild: verifying/);
  const seconds = (verifying - began) / 1000;
  return {
    value: seconds,
    extra: {
      wholeSeconds,
      verificationSeconds: verifiedIn(program),
      peakMemoryMegabytes: program.peakMemoryBytes / 1e6,
    },
  };
}

function verifiedIn({ lines }: Program): number {
  const [seconds] = lines.flatMap(({ text }) => /verified in ([\d.]+) s/.exec(text)?.[1] ?? []);
  if (seconds === undefined) throw new Error('the rebuild does not say how long it verified');
  return Number(seconds);
}

async function verify({ services }: Bench, { stores }: Dataset): Promise<Sample> {
  const program = services.command(stores, ['verify']);
  const wholeSeconds = await program.succeed(WITHIN_MS);
  return { value: wholeSeconds, extra: { peakMemoryMegabytes: program.peakMemoryBytes / 1e6 } };
}

/** Reports of all kinds at a low rate for as long as a rebuild takes. */
async function liveReports(bench: Bench, dataset: Dataset): Promise<Sample> {
  const requests = [
    '/orders/reports/best-sellers?limit=10',
    '/orders/reports/highest-spenders?limit=10',
    '/orders/reports/summary',
    `/orders/reports/best-sellers?limit=10&${ALL_DAYS}`,
  ].map(get);
  const program = bench.services.command(dataset.stores, ['rebuild']);
  const [rebuilt, { latency }] = await Promise.all([
    finishRebuild(program).finally(() => bench.generator.endJob()),
    bench.send(dataset.service, {
      pace: { kind: 'open', perSecond: LIVE_PER_SECOND, maxConnections: LIVE_CONNECTIONS },
      requests,
      once: false,
      warmUpMs: 0,
      durationMs: WITHIN_MS,
    }),
  ]);
  await dataset.settled();
  return { value: latency.p99, latency, extra: { ...rebuilt.extra, rebuildSeconds: rebuilt.value } };
}
