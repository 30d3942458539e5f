import type { ProductId } from '../domain/ids';
import { deleteProduct as deleteRow, lockProduct } from '../mysql/tables/products';
import type { CommandContext } from './context';
import { catalogueDeletion } from './catalogue-deletion';
import type { Request } from './writer/command';
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

export const DELETE_PRODUCT = catalogueDeletion<ProductId, 'ProductRemoved'>({
  kind: 'product',
  removed: { type: 'ProductRemoved' },
  lock: lockProduct,
  references: 'SELECT 1 FROM order_items WHERE product_id = ? LIMIT 1',
  deleteRow,
});
