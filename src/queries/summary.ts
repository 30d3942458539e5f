import { z } from 'zod';
import { money } from '../domain/answers';
import { averageMinor, formatMinor } from '../domain/money';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading-script';
import { figures, figuresOf, NOTHING, readTotals } from './totals';

export const summary = figures.extend({ average_order_value: money });

/** All orders in four figures. */
export async function readSummary(
  reader: Reader,
  options: ReadOptions,
): Promise<Positioned<z.output<typeof summary>>> {
  return reader.read('summary', options, async (keys) =>
    mapReading(await readTotals(reader.redis, keys, [undefined]), ([totals = NOTHING]) => ({
      ...figuresOf(totals),
      average_order_value: formatMinor(averageMinor(totals.revenue, BigInt(totals.orders))),
    })),
  );
}
