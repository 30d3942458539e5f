import { averageMinor, formatMinor } from '../money';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
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
  const { position, value } = await reader.read(options, (keys) => readTotals(reader, keys, [undefined]));
  const [totals] = value;
  if (totals === undefined) throw new Error('no totals were read');
  return {
    position,
    value: {
      orders: jsonNumber(totals.orders),
      units: jsonNumber(totals.units),
      revenue: formatMinor(totals.revenue),
      average_order_value: formatMinor(averageMinor(totals.revenue, totals.orders)),
    },
  };
}
