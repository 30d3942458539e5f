import { z } from 'zod';
import { count, money } from '../domain/answers';
import { formatMinor, type Minor } from '../domain/money';
import type { Keys, Period } from '../read-model/keys';
import { readTogether, type ReadCommand } from '../read-model/read-together';
import type { Reader } from '../read-model/reader';
import { mapReading, type Reading, wholeNumber } from '../read-model/reading-script';

/** What a report says of a span of time. */
export const figures = z.object({ orders: count, units: count, revenue: money });

export interface Totals {
  orders: number;
  units: number;
  revenue: Minor;
}

export const NOTHING: Totals = { orders: 0, units: 0, revenue: 0n };

export function addTotals(a: Totals, b: Totals): Totals {
  return { orders: a.orders + b.orders, units: a.units + b.units, revenue: a.revenue + b.revenue };
}

export function figuresOf({ orders, units, revenue }: Totals): z.output<typeof figures> {
  return { orders, units, revenue: formatMinor(revenue) };
}

/** Reads the totals of periods (undefined: of all time) at one moment. A counter that does not exist is zero. */
export async function readTotals(
  redis: Reader['redis'],
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
  return mapReading(await readTogether(redis, keys, commands), (replies) =>
    replies.map(([orders, units, revenue]) => ({
      orders: wholeNumber(orders),
      units: wholeNumber(units),
      revenue: BigInt(wholeNumber(revenue)),
    })),
  );
}
