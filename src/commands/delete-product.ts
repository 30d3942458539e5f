import type { ProductId } from '../domain/ids';
import { Problem } from '../domain/problems';
import { both, mapQuery, select } from '../mysql/session';
import { lockProduct } from '../mysql/tables/products';
import type { CommandContext } from './context';
import type { CommandKind, Request } from './writer/command';
import type { Receipt } from './writer/receipts';

/**
 * Removes a product that no order refers to.
 * @throws Problem `product-not-found`, `product-in-use`, and those of the writer.
 */
export async function deleteProduct(
  { writer }: CommandContext,
  productId: ProductId,
  request: Request,
): Promise<Receipt<'ProductRemoved'>> {
  return writer.execute(DELETE_PRODUCT, productId, request);
}

interface Facts {
  exists: boolean;
  isInUse: boolean;
}

export const DELETE_PRODUCT: CommandKind<ProductId, Facts, ProductId, 'ProductRemoved'> = {
  events: ['ProductRemoved'],
  shares: false,

  // Waits for the row: were it passed over while locked, a busy product could never be deleted.
  lookUp: ([id = NaN]) =>
    mapQuery(
      both(lockProduct(id), select('SELECT 1 FROM order_items WHERE product_id = ? LIMIT 1', [id])),
      ([product, references]) => ({ exists: product !== undefined, isInUse: references.length > 0 }),
    ),

  decide({ exists, isInUse }, _accepted, productId) {
    if (!exists) return new Problem('product-not-found', `There is no product ${productId}.`);
    if (isInUse) return new Problem('product-in-use', `Orders still refer to product ${productId}.`);
    return { row: productId, events: [{ body: { type: 'ProductRemoved' }, subject: productId }] };
  },

  write: (ids) => [{ sql: 'DELETE FROM products WHERE id IN (?)', parameters: [ids] }],
};
