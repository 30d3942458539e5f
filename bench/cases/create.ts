import { z } from 'zod';
import type { Bench, Contender } from '../bench';
import type { Sample } from '../results';
import type { Market } from './market';

export const RAW_SQL = 'raw batched SQL';
export const RAW_SQL_LOGGED = 'raw batched SQL with the log';
const RAW_WITHIN_MS = 120_000;

const rawResult = z.object({ orders: z.number(), seconds: z.number() });

export function createCase(clients: number): string {
  return `create, ${clients} client${clients === 1 ? '' : 's'}`;
}

/** Orders created a second, by Tally, by the usual designs, and by MySQL alone. */
export async function create(bench: Bench, market: Market): Promise<void> {
  const { sizes } = bench;
  for (const clients of sizes.clients) {
    const contenders: Contender[] = [market.tally, market.usual, market.usualLess].map(
      ({ name, service }) => ({
        name,
        measure: () => bench.load(service, clients, market.creations),
      }),
    );
    // It has no clients: it stands where there are most.
    if (clients === Math.max(...sizes.clients)) {
      contenders.push(
        { name: RAW_SQL, measure: () => rawSql(bench, market, []) },
        { name: RAW_SQL_LOGGED, measure: () => rawSql(bench, market, ['--logged']) },
      );
    }
    await bench.compare({ name: createCase(clients), unit: 'orders/s', better: 'more' }, contenders);
  }
}

/** By one connection and by two: the better counts. */
async function rawSql({ services, sizes }: Bench, { raw }: Market, options: string[]): Promise<Sample> {
  const extra: Record<string, number> = {};
  for (const connections of [1, 2]) {
    const program = services.baselineCommand(
      'raw-sql',
      [
        ...options,
        `--connections=${connections}`,
        `--seconds=${sizes.loadMs / 2000}`,
        `--users=${sizes.users}`,
        `--products=${sizes.products}`,
      ],
      { DATABASE_URL: raw.databaseUrl },
    );
    await program.succeed(RAW_WITHIN_MS);
    const { orders, seconds } = rawResult.parse(JSON.parse(program.lines.at(-1)?.text ?? ''));
    extra[`connections${connections}PerSecond`] = orders / seconds;
  }
  return { value: Math.max(...Object.values(extra)), extra };
}
