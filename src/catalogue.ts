/** Products and users, read from MySQL: Redis has no more of them than reports need. */
import { z } from 'zod';
import { id, money, nextCursor, time } from './domain/answers';
import type { ProductId, UserId } from './domain/ids';
import { formatMinor } from './domain/money';
import { Problem } from './domain/problems';
import { readFrom, type Database } from './mysql/pool';
import { readProductsAfter, type StoredProduct } from './mysql/tables/products';
import { readUsersAfter, type StoredUser } from './mysql/tables/users';

interface Page {
  limit: number;
  /** Only ids above this one. */
  above: number;
}

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
  const [row] = await readFrom(database, (session) => readProductsAfter(session, productId - 1, 1));
  if (row?.id !== productId) throw new Problem('product-not-found', `There is no product ${productId}.`);
  return productAnswer(row);
}

/** Products by ascending id. @throws Problem `overloaded`, `mysql-unreachable` */
export async function listProducts(
  database: Database,
  { limit, above }: Page,
): Promise<z.output<typeof productPage>> {
  const rows = await readFrom(database, (session) => readProductsAfter(session, above, limit + 1));
  return { products: rows.slice(0, limit).map(productAnswer), next_cursor: nextCursorOf(rows, limit) };
}

function productAnswer({ id, name, sku, price, createdAt }: StoredProduct): z.output<typeof product> {
  return { product_id: id, name, sku, price: formatMinor(price), created_at: createdAt };
}

export const user = z.object({ user_id: id, name: z.string(), email: z.string(), created_at: time });
export const userPage = z.object({ users: z.array(user), next_cursor: nextCursor });

/** @throws Problem `user-not-found`, `overloaded`, `mysql-unreachable` */
export async function getUser(database: Database, userId: UserId): Promise<z.output<typeof user>> {
  const [row] = await readFrom(database, (session) => readUsersAfter(session, userId - 1, 1));
  if (row?.id !== userId) throw new Problem('user-not-found', `There is no user ${userId}.`);
  return userAnswer(row);
}

/** Users by ascending id. @throws Problem `overloaded`, `mysql-unreachable` */
export async function listUsers(
  database: Database,
  { limit, above }: Page,
): Promise<z.output<typeof userPage>> {
  const rows = await readFrom(database, (session) => readUsersAfter(session, above, limit + 1));
  return { users: rows.slice(0, limit).map(userAnswer), next_cursor: nextCursorOf(rows, limit) };
}

function userAnswer({ id, name, email, createdAt }: StoredUser): z.output<typeof user> {
  return { user_id: id, name, email, created_at: createdAt };
}

/** Where the next page begins. Rows were read one beyond the limit, to see whether there is one. */
function nextCursorOf(rows: { id: number }[], limit: number): string | null {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return last === undefined ? null : String(last.id);
}
