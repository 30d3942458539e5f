import { z } from 'zod';
import { id, money, nextCursor, time } from '../domain/answers';
import type { ProductId } from '../domain/ids';
import { formatMinor } from '../domain/money';
import { Problem } from '../domain/problems';
import type { Database } from '../mysql/pool';
import { readProductsAfter, type StoredProduct } from '../mysql/tables/products';
import { nextCursorOf, readCatalogue, type Page } from './page';

export const product = z.object({
  product_id: id,
  name: z.string(),
  sku: z.string(),
  price: money,
  created_at: time,
});
export const productPage = z.object({ products: z.array(product), next_cursor: nextCursor });

/** @throws Problem `product-not-found`, `overloaded`, `mysql-unreachable` */
export async function getProduct(
  database: Database,
  productId: ProductId,
): Promise<z.output<typeof product>> {
  const [row] = await readCatalogue(database, (session) => readProductsAfter(session, productId - 1, 1));
  if (row?.id !== productId) throw new Problem('product-not-found', `There is no product ${productId}.`);
  return productAnswer(row);
}

/** Products by ascending id. @throws Problem `overloaded`, `mysql-unreachable` */
export async function listProducts(
  database: Database,
  { limit, above }: Page,
): Promise<z.output<typeof productPage>> {
  const rows = await readCatalogue(database, (session) => readProductsAfter(session, above, limit + 1));
  return { products: rows.slice(0, limit).map(productAnswer), next_cursor: nextCursorOf(rows, limit) };
}

function productAnswer({ id, name, sku, price, createdAt }: StoredProduct): z.output<typeof product> {
  return { product_id: id, name, sku, price: formatMinor(price), created_at: createdAt };
}
