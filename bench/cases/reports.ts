import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Bench, Contender } from '../bench';
import type { Dataset } from '../data/dataset';
import { TALLY, type Sample } from '../results';
import type { Service } from '../services';
import { ALL_DAYS, reportPlans, type ReportPlan } from './report-plan';

export const GROUP_BY = 'MySQL GROUP BY';
const GROUP_BY_INDEXED = 'MySQL GROUP BY, indexes added';
export const KEYS_HGETALL = 'KEYS + HGETALL';

const SLOW_COMMAND_US = 5000;
/** From here on a baseline's answer takes seconds: it is not asked twice. */
const MANY_ORDERS = 300_000;
const ANSWER_WITHIN_MS = 60_000;

export function reportCase(report: string, orders: number): string {
  return `${report}, ${orders.toLocaleString('en-US')} orders`;
}

/** Every report, asked by one client, of each data set. Value: p50 in milliseconds. */
export async function reports(bench: Bench, dataset: Dataset): Promise<void> {
  await dataset.addIndexes();
  const { services } = bench;
  const { databaseUrl, redisPath } = dataset.stores;
  const own = await services.baseline('group-by', { DATABASE_URL: databaseUrl, INDEXES: 'own' });
  const added = await services.baseline('group-by', { DATABASE_URL: databaseUrl, INDEXES: 'added' });
  const keys = await services.baseline('keys-hgetall', { REDIS_URL: redisPath, KEY_ROOT: dataset.keyRoot });
  const { reportWarmUpMs } = bench.sizes;
  const judges = [own, added, ...(dataset.orders < MANY_ORDERS ? [keys] : [])];
  await insistOnAnswers(dataset.service, judges);
  const warmUpMs = dataset.orders < MANY_ORDERS ? reportWarmUpMs : 0;
  const ask = async (service: typeof own, plan: ReportPlan, warmUp: number): Promise<Sample> => {
    const durationMs = bench.sizes.reportMs;
    const { latency } = await bench.load(service, 1, plan.requests, { warmUpMs: warmUp, durationMs });
    return latency === undefined ? { value: NaN } : { value: latency.p50, latency };
  };
  for (const plan of reportPlans(dataset.orders, bench.seed)) {
    const contenders: Contender[] = [
      {
        name: TALLY,
        measure: async () => {
          const slow = await watchSlowCommands(dataset.redis);
          const sample = await ask(dataset.service, plan, reportWarmUpMs);
          return { ...sample, extra: await slow() };
        },
      },
    ];
    if (plan.groupBy) {
      contenders.push(
        { name: GROUP_BY, measure: () => ask(own, plan, warmUpMs) },
        { name: GROUP_BY_INDEXED, measure: () => ask(added, plan, warmUpMs) },
      );
    }
    if (plan.keys) contenders.push({ name: KEYS_HGETALL, measure: () => ask(keys, plan, warmUpMs) });
    const name = reportCase(plan.name, dataset.orders);
    await bench.compare({ name, unit: 'ms (p50)', better: 'less' }, contenders);
  }
  for (const service of [own, added, keys]) await service.stop();
}

/** Who is fast and wrong has won nothing: all must name the same products. @throws Error where they do not. */
async function insistOnAnswers(service: Service, judges: Service[]): Promise<void> {
  for (const path of [
    '/orders/reports/best-sellers?limit=10',
    `/orders/reports/best-sellers?limit=10&${ALL_DAYS}`,
  ]) {
    const answers: string[] = [];
    for (const { origin } of [service, ...judges]) {
      const answer = await fetch(`${origin}${path}`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
      const sold = soldProducts.parse(await answer.json());
      answers.push(sold.map((product) => `${product.product_id}: ${product.quantity_sold}`).join(', '));
    }
    if (new Set(answers).size > 1) throw new Error(`${path} has different answers:\n${answers.join('\n')}`);
  }
}

const soldProducts = z.array(z.object({ product_id: z.number(), quantity_sold: z.coerce.number() }));

/** @returns a function that tells how many commands have held Redis for longer than 5 ms since, and the longest. */
async function watchSlowCommands(redis: Redis): Promise<() => Promise<Record<string, number>>> {
  await redis.config('SET', 'slowlog-log-slower-than', SLOW_COMMAND_US);
  await redis.slowlog('RESET');
  return async () => {
    // Each is [id, when, microseconds, arguments, …].
    const slow = (await redis.slowlog('GET', 128)) as [number, number, number, string[]][];
    const ofReports = slow.filter(([, , , [command = '']]) => !/^(slowlog|config)$/i.test(command));
    const longestMs = Math.max(0, ...ofReports.map(([, , microseconds]) => microseconds / 1000));
    return { slowCommands: ofReports.length, slowestCommandMs: longestMs };
  };
}
