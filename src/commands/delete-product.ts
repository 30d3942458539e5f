import type { ProductId } from '../domain/ids';
import { lockProduct } from '../mysql/tables/products';
import { catalogueDeletion } from './catalogue-deletion';

/** Removes a product that no order refers to. Refused with `product-not-found`, `product-in-use`. */
export const DELETE_PRODUCT = catalogueDeletion<ProductId, 'ProductRemoved'>({
  kind: 'product',
  removed: { type: 'ProductRemoved' },
  lock: lockProduct,
  references: 'SELECT 1 FROM order_items WHERE product_id = ? LIMIT 1',
  deletion: 'DELETE FROM products WHERE id = ?',
});
