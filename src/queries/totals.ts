import type { Minor } from '../domain/money';
import type { Keys, Period } from '../read-model/keys';
import type { Reader } from '../read-model/reader';
import { mapReading, type Reading } from '../read-model/reading';
import { readTogether, type Absent, type ReadCommand } from '../read-model/scripts';
import { counter } from './figures';

export interface Totals {
  orders: bigint;
  units: bigint;
  revenue: Minor;
}

export const NOTHING: Totals = { orders: 0n, units: 0n, revenue: 0n };

export function addTotals(a: Totals, b: Totals): Totals {
  return { orders: a.orders + b.orders, units: a.units + b.units, revenue: a.revenue + b.revenue };
}

/** Reads the totals of periods (undefined: of all time) at one moment. */
export async function readTotals(
  reader: Reader,
  keys: Keys,
  periods: readonly (Period | undefined)[],
): Promise<Reading<Totals[]>> {
  const commands = periods.map((period): ReadCommand => [
    'HMGET',
    keys.totals(period),
    'orders',
    'units',
    'revenue',
  ]);
  return mapReading(await readTogether(reader.redis, keys, commands), (replies) =>
    (replies as (string | Absent)[][]).map(([orders, units, revenue]) => ({
      orders: counter(orders),
      units: counter(units),
      revenue: counter(revenue),
    })),
  );
}
