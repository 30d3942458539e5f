import { z } from 'zod';
import { id, money } from '../domain/answers';
import type { ProductId } from '../domain/ids';
import { formatMinor } from '../domain/money';
import { Problem } from '../domain/problems';
import { rankingMember } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading, wholeNumber } from '../read-model/reading-script';
import { readTogether } from '../read-model/read-together';

export const productSales = z.object({
  product_id: id,
  name: z.string(),
  sku: z.string(),
  quantity_sold: z.int(),
  revenue: money,
});
export type ProductSales = z.output<typeof productSales>;

/**
 * What one product sold, of all time. Other programs read the same counter of units sold, with GET.
 * @throws Problem `product-not-found` where the read model knows neither the product nor a sale of it, and those of the
 * reader.
 */
export async function readProductSales(
  reader: Reader,
  productId: ProductId,
  options: ReadOptions,
): Promise<Positioned<ProductSales>> {
  const { at, value } = await reader.read(`product-sales ${productId}`, options, async (keys) => {
    const reading = await readTogether(reader.redis, keys, [
      ['HMGET', keys.product(productId), 'name', 'sku'],
      ['GET', keys.productSold(productId)],
      ['ZMSCORE', keys.productRanking('revenue'), rankingMember(productId)],
    ]);
    return mapReading(reading, (replies) => {
      const [name = false, sku = false, sold = false, score = false] = replies.flat();
      if (name === false && sku === false && sold === false) return undefined;
      return {
        product_id: productId,
        name: name || '',
        sku: sku || '',
        quantity_sold: wholeNumber(sold),
        // Rankings hold negated amounts.
        revenue: formatMinor(-BigInt(wholeNumber(score))),
      };
    });
  });
  if (value === undefined) {
    throw new Problem('product-not-found', `There is no product ${productId} at position ${at.position}.`, {
      members: { position: at.position },
    });
  }
  return { at, value };
}
