import { formatMinor, type Minor } from '../money';
import { rankedId, type Keys } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading, type Reading } from '../read-model/reading';
import { topProducts } from '../read-model/scripts';
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

/** A product with its figures, before they are put into JSON. */
export interface SoldProduct {
  productId: number;
  name: string;
  sku: string;
  units: bigint;
  revenue: Minor;
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
    const reading =
      periods === undefined
        ? await topOfAllTime(reader, keys, measure, limit)
        : await topOfPeriods(reader, keys, { periods, measure, limit });
    return mapReading(reading, (products) => products.map(bestSeller));
  });
}

async function topOfAllTime(
  reader: Reader,
  keys: Keys,
  measure: 'sold' | 'revenue',
  limit: number,
): Promise<Reading<SoldProduct[]>> {
  return mapReading(await topProducts(reader.redis, keys, measure, limit), (rows) =>
    rows.map(([member, score, other, name, sku]) => {
      const [units, revenue] = measure === 'sold' ? [score, other] : [other, score];
      return { productId: rankedId(member), name, sku, units: ranked(units), revenue: ranked(revenue) };
    }),
  );
}

function bestSeller({ productId, name, sku, units, revenue }: SoldProduct): BestSeller {
  return {
    product_id: productId,
    name,
    sku,
    quantity_sold: jsonNumber(units),
    revenue: formatMinor(revenue),
  };
}
