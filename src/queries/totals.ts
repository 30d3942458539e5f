import type { Minor } from '../money';
import type { Keys, Period } from '../read-model/keys';
import type { Reader, Reading } from '../read-model/reader';
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
  const [applied, ...rows] = await reader.atomically((multi) => {
    multi.get(keys.applied);
    for (const period of periods) multi.hmget(keys.totals(period), 'orders', 'units', 'revenue');
    return multi;
  });
  return {
    applied: applied as string | null,
    value: (rows as (string | null)[][]).map(([orders, units, revenue]) => ({
      orders: counter(orders),
      units: counter(units),
      revenue: counter(revenue),
    })),
  };
}
