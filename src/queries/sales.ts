import { z } from 'zod';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading-script';
import { intervalsOf, type DayRange } from './ranges';
import { addTotals, figures, figuresOf, NOTHING, readTotals } from './totals';

export const salesInterval = z.enum(['day', 'month']);

export const sales = z.object({
  from: z.string(),
  to: z.string(),
  interval: salesInterval,
  ...figures.shape,
  intervals: z
    .array(z.object({ start: z.string(), ...figures.shape }))
    .meta({ description: 'In order of time, also those without sales' }),
});

/**
 * Sales by day or month, and in all.
 * @throws Problem `range-too-wide`, and those of the reader.
 */
export async function readSales(
  reader: Reader,
  { from, to, interval }: DayRange & { interval: z.output<typeof salesInterval> },
  options: ReadOptions,
): Promise<Positioned<z.output<typeof sales>>> {
  const intervals = intervalsOf({ from, to }, interval);
  const periods = intervals.flatMap((each) => each.periods);
  return reader.read(`sales ${from} ${to} ${interval}`, options, async (keys) =>
    mapReading(await readTotals(reader.redis, keys, periods), (totals) => {
      let next = 0;
      const sums = intervals.map(({ start, periods: { length } }) => ({
        start,
        sum: totals.slice(next, (next += length)).reduce(addTotals, NOTHING),
      }));
      return {
        from,
        to,
        interval,
        ...figuresOf(totals.reduce(addTotals, NOTHING)),
        intervals: sums.map(({ start, sum }) => ({ start, ...figuresOf(sum) })),
      };
    }),
  );
}
