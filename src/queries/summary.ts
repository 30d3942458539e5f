import { averageMinor, formatMinor } from '../domain/money';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading';
import { readTotals } from './totals';
import { jsonNumber } from './figures';

export interface Summary {
  orders: number;
  units: number;
  revenue: string;
  average_order_value: string;
}

/** All orders in four figures. */
export async function summary(reader: Reader, options: ReadOptions): Promise<Positioned<Summary>> {
  return reader.read('summary', options, async (keys) =>
    mapReading(await readTotals(reader, keys, [undefined]), ([totals]) => {
      if (totals === undefined) throw new Error('no totals were read');
      const { orders, units, revenue } = totals;
      return {
        orders: jsonNumber(orders),
        units: jsonNumber(units),
        revenue: formatMinor(revenue),
        average_order_value: formatMinor(averageMinor(revenue, orders)),
      };
    }),
  );
}
