import { Problem } from '../domain/problems';
import { failureOf } from '../mysql/failures';
import type { CommandIdentity } from './writer/identity';
import type { Receipt } from './writer/receipts';
import type { Writer } from './writer/writer';

/**
 * Removes a product that no order refers to.
 * @throws Problem `product-not-found`, `product-in-use`, and those of the writer.
 */
export async function deleteProduct(
  writer: Writer,
  productId: number,
  identity: CommandIdentity,
  now: string,
): Promise<Receipt> {
  return writer.execute({
    identity,
    now,
    async write(session) {
      try {
        const { affectedRows } = await session.write('DELETE FROM products WHERE id = ?', [productId]);
        if (affectedRows === 0) throw new Problem('product-not-found', `There is no product ${productId}.`);
      } catch (error) {
        if (failureOf(error) !== 'referenced') throw error;
        throw new Problem('product-in-use', `Orders still refer to product ${productId}.`, { cause: error });
      }
      return [{ type: 'ProductRemoved', productId }];
    },
  });
}
