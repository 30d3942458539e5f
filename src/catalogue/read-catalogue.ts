import { Problem } from '../domain/problems';
import { formatMinor, minorFromDecimal } from '../domain/money';
import { readProductsAfter, readUsersAfter, type ProductRow, type UserRow } from '../mysql/tables/catalogue';
import { unreachableProblem, type Database, type Session } from '../mysql/pool';
import { fromDatetime } from '../mysql/time';

export interface ProductView {
  product_id: number;
  name: string;
  sku: string;
  price: string;
  created_at: string;
}

export interface UserView {
  user_id: number;
  name: string;
  email: string;
  created_at: string;
}

export interface Page {
  limit: number;
  /** Only ids above this one. */
  above: number;
}

/** @throws Problem `product-not-found`, `mysql-unreachable` */
export async function getProduct(database: Database, productId: number): Promise<ProductView> {
  const [row] = await read(database, (session) => readProductsAfter(session, productId - 1, 1));
  if (row?.id !== productId) throw new Problem('product-not-found', `There is no product ${productId}.`);
  return productView(row);
}

/** Products by ascending id. @throws Problem `mysql-unreachable` */
export async function listProducts(database: Database, { limit, above }: Page) {
  const rows = await read(database, (session) => readProductsAfter(session, above, limit + 1));
  return { products: rows.slice(0, limit).map(productView), next_cursor: nextCursor(rows, limit) };
}

/** @throws Problem `user-not-found`, `mysql-unreachable` */
export async function getUser(database: Database, userId: number): Promise<UserView> {
  const [row] = await read(database, (session) => readUsersAfter(session, userId - 1, 1));
  if (row?.id !== userId) throw new Problem('user-not-found', `There is no user ${userId}.`);
  return userView(row);
}

/** Users by ascending id. @throws Problem `mysql-unreachable` */
export async function listUsers(database: Database, { limit, above }: Page) {
  const rows = await read(database, (session) => readUsersAfter(session, above, limit + 1));
  return { users: rows.slice(0, limit).map(userView), next_cursor: nextCursor(rows, limit) };
}

async function read<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await database.session(work);
  } catch (error) {
    throw unreachableProblem(error) ?? error;
  }
}

/** Rows were read one beyond the limit, to see whether there is a next page. */
function nextCursor(rows: { id: number }[], limit: number): string | null {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return last === undefined ? null : String(last.id);
}

function productView({ id, name, sku, price, created_at }: ProductRow): ProductView {
  const exact = formatMinor(minorFromDecimal(price));
  return { product_id: id, name, sku, price: exact, created_at: fromDatetime(created_at) };
}

function userView({ id, name, email, created_at }: UserRow): UserView {
  return { user_id: id, name, email, created_at: fromDatetime(created_at) };
}
