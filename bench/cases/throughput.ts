import type { Bench } from '../bench';
import type { Dataset } from '../data/dataset';
import type { PlannedRequest } from '../load/protocol';
import { TALLY } from '../results';
import { ANY_DAYS, get, reportPlans } from './report-plan';

const CLIENTS = 32;
const MAX_LIMIT = 100;
export const HELLO = 'Fastify hello world';
export const TALLY_DISTINCT = 'Tally, distinct parameters';
export const THROUGHPUT = `best sellers of all time, ${CLIENTS} clients`;

/** How many reports a second there are, beside the least that a Fastify service can answer. */
export async function throughput(bench: Bench, { service, orders }: Dataset): Promise<void> {
  const hello = await bench.services.baseline('hello', {});
  const same = [get('/orders/reports/best-sellers?limit=10')];
  const distinct: PlannedRequest[] = [];
  for (let limit = 1; limit <= MAX_LIMIT; limit++) {
    for (const by of ['quantity', 'revenue']) {
      distinct.push(get(`/orders/reports/best-sellers?limit=${limit}&by=${by}`));
    }
  }
  const helloContender = { name: HELLO, measure: () => bench.load(hello, CLIENTS, [get('/')]) };
  await bench.compare({ name: THROUGHPUT, unit: 'requests/s', better: 'more' }, [
    { name: TALLY, measure: () => bench.load(service, CLIENTS, same) },
    { name: TALLY_DISTINCT, measure: () => bench.load(service, CLIENTS, distinct) },
    helloContender,
  ]);
  // A share of hello world each; one beside the other they say nothing.
  const about = { name: `other reads, ${CLIENTS} clients`, unit: 'requests/s', comparable: false } as const;
  const others = reportPlans(orders, bench.seed).filter(({ allTime, name }) => allTime || name === ANY_DAYS);
  await bench.compare({ ...about, better: 'more' }, [
    ...others.slice(1).map(({ name, requests }) => ({
      name,
      measure: () => bench.load(service, CLIENTS, requests),
    })),
    helloContender,
  ]);
  await hello.stop();
}
