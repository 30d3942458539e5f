import { formatMinor } from '../domain/money';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading';
import { jsonNumber } from './figures';
import { intervalsOf, type DayRange } from './ranges';
import { addTotals, NOTHING, readTotals, type Totals } from './totals';

interface Figures {
  orders: number;
  units: number;
  revenue: string;
}

export interface SalesReport extends Figures, DayRange {
  interval: 'day' | 'month';
  /** In order of time, also those without sales. */
  intervals: (Figures & { start: string })[];
}

/**
 * Sales by day or month, and in all.
 * @throws Problem `range-too-wide`, and those of the reader.
 */
export async function sales(
  reader: Reader,
  query: DayRange & { interval: 'day' | 'month' },
  options: ReadOptions,
): Promise<Positioned<SalesReport>> {
  const intervals = intervalsOf(query, query.interval);
  const periods = intervals.flatMap((interval) => interval.periods);
  const { from, to, interval } = query;
  return reader.read(`sales ${from} ${to} ${interval}`, options, async (keys) =>
    mapReading(await readTotals(reader, keys, periods), (totals) => {
      let next = 0;
      const sums = intervals.map((each) => {
        const parts = totals.slice(next, (next += each.periods.length));
        return parts.reduce(addTotals, NOTHING);
      });
      return {
        from,
        to,
        interval,
        ...figures(sums.reduce(addTotals, NOTHING)),
        intervals: intervals.map(({ start }, index) => ({ start, ...figures(sums[index] ?? NOTHING) })),
      };
    }),
  );
}

function figures({ orders, units, revenue }: Totals): Figures {
  return { orders: jsonNumber(orders), units: jsonNumber(units), revenue: formatMinor(revenue) };
}
