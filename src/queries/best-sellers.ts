import { z } from 'zod';
import { formatMinor } from '../domain/money';
import { rankedProduct, type Keys, type Measure, type Period } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading, rankedAmount, ReadingScript, type Reading } from '../read-model/reading-script';
import { productSales } from './product-sales';
import { coverRange, type DayRange } from './ranges';
import { otherMeasure, topOfPeriods, type TopProduct } from './top-of-periods';

export const bestSellers = z.array(productSales);

export interface BestSellersQuery {
  limit: number;
  by: 'quantity' | 'revenue';
  /** Of all time where there is none. */
  range?: DayRange | undefined;
}

/**
 * The products that sold most, ties by ascending id.
 * @throws Problem `range-too-wide`, `overloaded`, `read-model-contended`, and those of the reader.
 */
export async function readBestSellers(
  reader: Reader,
  { limit, by, range }: BestSellersQuery,
  options: ReadOptions,
): Promise<Positioned<z.output<typeof bestSellers>>> {
  const measure = by === 'revenue' ? 'revenue' : 'sold';
  const periods = range && coverRange(range);
  const question = `best-sellers ${measure} ${limit} ${range?.from} ${range?.to}`;
  return reader.read(question, options, async (keys) => {
    const top =
      periods === undefined || periods.length === 1
        ? await topOfRanking(reader.redis, keys, { period: periods?.[0], measure, limit })
        : await topOfPeriods(reader, keys, { periods, measure, limit });
    return mapReading(top, (rows) => rows.map((row) => bestSeller(reader, row, measure)));
  });
}

const script = new ReadingScript<TopProduct[]>(__dirname, 'best-sellers');

/** One ranking is in the order of the answer already: its head is the answer. */
async function topOfRanking(
  redis: Reader['redis'],
  keys: Keys,
  { period, measure, limit }: { period: Period | undefined; measure: Measure; limit: number },
): Promise<Reading<TopProduct[]>> {
  const rankings = [keys.productRanking(measure, period), keys.productRanking(otherMeasure(measure), period)];
  return script.run(redis, keys, rankings, [limit, keys.product('')]);
}

function bestSeller(
  reader: Reader,
  [member, sum, other, name, sku]: TopProduct,
  measure: Measure,
): z.output<typeof productSales> {
  const [units, revenue] = measure === 'sold' ? [sum, other] : [other, sum];
  const id = rankedProduct(member);
  return {
    product_id: id,
    name: reader.nameOf('product', id, name),
    sku,
    quantity_sold: rankedAmount(units),
    revenue: formatMinor(BigInt(rankedAmount(revenue))),
  };
}
