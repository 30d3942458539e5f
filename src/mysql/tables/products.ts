import { productId, type Instant, type ProductId } from '../../domain/ids';
import { formatMinor, type Minor } from '../../domain/money';
import { mapQuery, select, type Query, type Session, type Statement } from '../session';
import { toDatetime } from '../time';

export interface ProductRow {
  id: ProductId;
  name: string;
  sku: string;
  price: string;
  created_at: string;
}

const COLUMNS = 'id, name, sku, price, created_at';

/** A page of products in ascending order of id. */
export async function readProductsAfter(
  session: Session,
  afterId: number,
  limit: number,
): Promise<ProductRow[]> {
  return session.ask(
    rows(`SELECT ${COLUMNS} FROM products WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, [
      afterId,
      Number.MAX_SAFE_INTEGER,
      limit,
    ]),
  );
}

/** Those that have one of these ids or SKUs. */
export function productsByIdOrSku(ids: number[], skus: string[]): Query<ProductRow[]> {
  return rows(`SELECT ${COLUMNS} FROM products WHERE (id IN (?) OR sku IN (?)) AND id <= ?`, [
    ids,
    skus,
    Number.MAX_SAFE_INTEGER,
  ]);
}

/** The product, locked until the transaction ends: nobody changes it, or begins to refer to it, in between. */
export function lockProduct(id: number): Query<ProductRow | undefined> {
  return mapQuery(rows(`SELECT ${COLUMNS} FROM products WHERE id = ? FOR UPDATE`, [id]), ([row]) => row);
}

/** Inserts products that bring their ids. */
export function insertProducts(
  products: { id: number; name: string; sku: string; price: Minor }[],
  createdAt: Instant,
): Statement {
  const values = products.map(({ id, name, sku, price }) => [
    id,
    name,
    sku,
    formatMinor(price),
    toDatetime(createdAt),
  ]);
  return { sql: `INSERT INTO products (${COLUMNS}) VALUES ?`, parameters: [values] };
}

function rows(sql: string, parameters: Parameters<typeof select>[1]): Query<ProductRow[]> {
  return mapQuery(select<Omit<ProductRow, 'id'> & { id: number }>(sql, parameters), (found) =>
    found.map((row) => ({ ...row, id: productId(row.id) })),
  );
}
