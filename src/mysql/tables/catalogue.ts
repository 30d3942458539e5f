import type { Session } from '../pool';

export interface ProductRow {
  id: number;
  name: string;
  sku: string;
  price: string;
  created_at: string;
}

export interface UserRow {
  id: number;
  name: string;
  email: string;
  created_at: string;
}

/** A page of products in ascending order of id. */
export async function readProductsAfter(
  session: Session,
  afterId: number,
  limit: number,
): Promise<ProductRow[]> {
  return session.rows<ProductRow>(
    'SELECT id, name, sku, price, created_at FROM products WHERE id > ? AND id <= ? ORDER BY id LIMIT ?',
    [afterId, Number.MAX_SAFE_INTEGER, limit],
  );
}

/** A page of users in ascending order of id. */
export async function readUsersAfter(session: Session, afterId: number, limit: number): Promise<UserRow[]> {
  return session.rows<UserRow>(
    'SELECT id, name, email, created_at FROM users WHERE id > ? AND id <= ? ORDER BY id LIMIT ?',
    [afterId, Number.MAX_SAFE_INTEGER, limit],
  );
}
