import { productId, type Instant, type ProductId } from '../../domain/ids';
import type { EventOf } from '../../domain/events';
import { formatMinor, minorFromDecimal, type Minor } from '../../domain/money';
import { mapQuery, select, type Query, type Session, type Statement } from '../session';
import { fromDatetime, toDatetime } from '../time';
import { SET_INSERTED } from './inserted';

export interface NewProduct {
  name: string;
  sku: string;
  price: Minor;
}

export interface Product extends NewProduct {
  id: ProductId;
}

export interface StoredProduct extends Product {
  createdAt: Instant;
}

interface ProductRow {
  id: number;
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
): Promise<StoredProduct[]> {
  return session.ask(
    rows(`SELECT ${COLUMNS} FROM products WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, [
      afterId,
      Number.MAX_SAFE_INTEGER,
      limit,
    ]),
  );
}

/** Those that have the id or the SKU of one of these. */
export function productsByIdOrSku(products: Product[]): Query<StoredProduct[]> {
  return rows(`SELECT ${COLUMNS} FROM products WHERE (id IN (?) OR sku IN (?)) AND id <= ?`, [
    products.map(({ id }) => id),
    products.map(({ sku }) => sku),
    Number.MAX_SAFE_INTEGER,
  ]);
}

/** What a row says, as the event that would create it. */
export function statedByProduct({ id, name, sku }: Product): EventOf<'ProductAdded'> {
  return { type: 'ProductAdded', productId: id, name, sku };
}

/** What the row says, locked until the transaction ends: nobody changes it, or begins to refer to it, in between. */
export function lockProduct(id: number): Query<EventOf<'ProductAdded'> | undefined> {
  return mapQuery(
    rows(`SELECT ${COLUMNS} FROM products WHERE id = ? FOR UPDATE`, [id]),
    ([row]) => row && statedByProduct(row),
  );
}

/** Inserts a product, which gets its id from MySQL (see inserted.ts). */
export function insertNewProduct(product: NewProduct, createdAt: Instant): Statement[] {
  return [
    {
      sql: 'INSERT INTO products (name, sku, price, created_at) VALUES (?)',
      parameters: [valuesOf(product, createdAt)],
    },
    { sql: SET_INSERTED },
  ];
}

/** Inserts products that bring their ids. */
export function insertProducts(products: Product[], createdAt: Instant): Statement[] {
  const values = products.map((product) => [product.id, ...valuesOf(product, createdAt)]);
  return [{ sql: `INSERT INTO products (${COLUMNS}) VALUES ?`, parameters: [values] }];
}

function valuesOf({ name, sku, price }: NewProduct, createdAt: Instant): string[] {
  return [name, sku, formatMinor(price), toDatetime(createdAt)];
}

function rows(sql: string, parameters: Parameters<typeof select>[1]): Query<StoredProduct[]> {
  return mapQuery(select<ProductRow>(sql, parameters), (found) =>
    found.map(({ id, name, sku, price, created_at }) => ({
      id: productId(id),
      name,
      sku,
      price: minorFromDecimal(price),
      createdAt: fromDatetime(created_at),
    })),
  );
}
