import { z } from 'zod';
import { count, id, money } from '../domain/answers';
import type { ProductId } from '../domain/ids';
import { formatMinor } from '../domain/money';
import { rankingMember } from '../read-model/keys';
import { readTogether } from '../read-model/read-together';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading, rankedAmount, wholeNumber } from '../read-model/reading-script';
import { found } from './found';

export const productSales = z.object({
  product_id: id,
  name: z.string(),
  sku: z.string(),
  quantity_sold: count,
  revenue: money,
});

/**
 * What one product sold, of all time. Other programs read the same counter of units sold, with GET.
 * @throws Problem `product-not-found` where the read model knows neither the product nor a sale of it, and those of the
 * reader.
 */
export async function readProductSales(
  reader: Reader,
  productId: ProductId,
  options: ReadOptions,
): Promise<Positioned<z.output<typeof productSales>>> {
  const reading = await reader.read(`product-sales ${productId}`, options, async (keys) => {
    const together = await readTogether(reader.redis, keys, [
      ['HMGET', keys.product(productId), 'name', 'sku'],
      ['GET', keys.productSold(productId)],
      ['ZMSCORE', keys.productRanking('revenue'), rankingMember(productId)],
    ]);
    return mapReading(together, (replies) => {
      const [name = false, sku = false, sold = false, score = false] = replies.flat();
      if (name === false && sku === false && sold === false) return undefined;
      return {
        product_id: productId,
        name: reader.nameOf('product', productId, name),
        sku: sku || '',
        quantity_sold: wholeNumber(sold),
        revenue: formatMinor(BigInt(rankedAmount(score))),
      };
    });
  });
  return found(reading, 'product-not-found', `product ${productId}`);
}
