import { formatMinor } from '../domain/money';
import { rankedId } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading';
import { topProducts, type Measure, type TopProduct } from '../read-model/scripts';
import { jsonNumber, ranked } from './figures';
import { coverRange, type DayRange } from './ranges';
import { topOfPeriods } from './top-of-periods';

export interface BestSeller {
  product_id: number;
  name: string;
  sku: string;
  quantity_sold: number;
  revenue: string;
}

export interface BestSellers {
  limit: number;
  by: 'quantity' | 'revenue';
  /** Of all time where there is none. */
  range?: DayRange | undefined;
}

/**
 * The products that sold most, ties by ascending id.
 * @throws Problem `range-too-wide`, `read-model-contended`, and those of the reader.
 */
export async function bestSellers(
  reader: Reader,
  { limit, by, range }: BestSellers,
  options: ReadOptions,
): Promise<Positioned<BestSeller[]>> {
  const measure = by === 'revenue' ? 'revenue' : 'sold';
  const periods = range === undefined ? undefined : coverRange(range);
  const question = `best-sellers ${measure} ${limit} ${range?.from} ${range?.to}`;
  return reader.read(question, options, async (keys) => {
    const reading = await (periods === undefined
      ? topProducts(reader.redis, keys, { measure, limit })
      : topOfPeriods(reader, keys, { periods, measure, limit }));
    return mapReading(reading, (rows) => rows.map((row) => bestSeller(row, measure)));
  });
}

function bestSeller([member, sum, other, name, sku]: TopProduct, measure: Measure): BestSeller {
  const [units, revenue] = measure === 'sold' ? [sum, other] : [other, sum];
  return {
    product_id: rankedId(member),
    name,
    sku,
    quantity_sold: jsonNumber(ranked(units)),
    revenue: formatMinor(ranked(revenue)),
  };
}
