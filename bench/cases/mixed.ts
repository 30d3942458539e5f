import { Random } from '../../torture/random';
import type { Bench } from '../bench';
import type { PlannedRequest } from '../load/protocol';
import { newestOrders, type Market, type Stand } from './market';

const CLIENTS = 64;
const READ_ORDERS = 1000;
const WRITES = 0.2;

/** 80 % reads, half of them of one order and half of the best sellers, and 20 % new orders. */
export async function mixed(bench: Bench, market: Market): Promise<void> {
  const contenders = [];
  for (const stand of [market.tally, market.usual]) {
    // There must be some to read.
    await bench.load(stand.service, CLIENTS, market.creations, { warmUpMs: 0, durationMs: 1000 });
    const requests = await plan(bench, market, stand);
    contenders.push({ name: stand.name, measure: () => bench.load(stand.service, CLIENTS, requests) });
  }
  const name = `mixed: 80 % reads, 20 % creations, ${CLIENTS} clients`;
  await bench.compare({ name, unit: 'requests/s', better: 'more' }, contenders);
}

async function plan(bench: Bench, { creations }: Market, stand: Stand): Promise<PlannedRequest[]> {
  const random = new Random(bench.seed);
  const ids = await newestOrders(bench, stand, READ_ORDERS);
  return creations.map((creation) => {
    if (random.chance(WRITES)) return creation;
    const path = random.chance(0.5) ? `/orders/${random.pick(ids)}` : '/orders/reports/best-sellers?limit=10';
    return { method: 'GET', path, status: 200 };
  });
}
