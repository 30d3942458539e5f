import type { RowDataPacket } from 'mysql2/promise';
import { Random } from '../../torture/random';
import type { Bench } from '../bench';
import type { Sample } from '../results';
import { newestOrders, type Market, type Stand } from './market';

const CLIENTS = 64;

/** Orders deleted a second; each exists, and is deleted once. */
export async function deleteOrders(bench: Bench, market: Market): Promise<void> {
  await bench.compare(
    { name: `delete, ${CLIENTS} clients`, unit: 'orders/s', better: 'more' },
    [market.tally, market.usual, market.usualLess].map((stand) => ({
      name: stand.name,
      measure: () => measure(bench, market, stand),
    })),
  );
}

async function measure(bench: Bench, { creations }: Market, stand: Stand): Promise<Sample> {
  const { deletions } = bench.sizes;
  const [[row]] = await bench.servers.admin.query<(RowDataPacket & { orders: number })[]>(
    `SELECT COUNT(*) AS orders FROM ${stand.database}.orders`,
  );
  // For as long as deleting may take: deleting is not much faster.
  if ((row?.orders ?? 0) < deletions) await bench.load(stand.service, CLIENTS, creations);
  const random = new Random(bench.seed);
  const ids = (await newestOrders(bench, stand, deletions))
    .map((id) => ({ id, at: random.int(0, 0x7fffffff) }))
    .toSorted((a, b) => a.at - b.at);
  return bench.load(
    stand.service,
    CLIENTS,
    ids.map(({ id }) => ({ method: 'DELETE', path: `/orders/${id}`, status: 200 })),
    { once: true, warmUpMs: 0 },
  );
}
