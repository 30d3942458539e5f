import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { instantAt, orderId, productId, userId } from '../domain/ids';
import { email, name, priceOf, sku } from '../domain/fields';
import { formatMinor, type Minor } from '../domain/money';
import type { Order } from '../domain/order';
import type { Product } from '../mysql/tables/products';
import type { User } from '../mysql/tables/users';
import { readCsv } from './csv-file';
import { Faults, Unique } from './faults';
import { OrderColumns } from './order-columns';

/** More lines than this make one event too large to be applied in one go. */
const MAX_LINES_PER_ORDER = 1000;

const FILES = ['users.csv', 'products.csv', 'orders.csv', 'order_items.csv'] as const;

export interface ReadOptions {
  /** The highest total of one order, in minor units. */
  maxOrderTotal: Minor;
  /** Told how many bytes of all files have been read. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** The contents of the four files. */
export interface ImportData {
  users: User[];
  products: Product[];
  /** Can be iterated more than once. */
  orders: Iterable<Order> & { readonly length: number };
}

const id = z
  .string()
  .regex(/^[1-9]\d*$/, 'must be a positive whole number')
  // AUTO_INCREMENT goes on from the highest id: leave it room below 2^53.
  .regex(/^\d{1,15}$/, 'must have at most 15 digits')
  .transform(Number);
const price = z.string().transform(priceOf);
/** Those of DATETIME. */
const FIRST_TIME = Date.parse('1000-01-01T00:00:00.000Z');
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');
const time = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    'must be a day like 2026-11-21 or a time like 2026-11-21T10:00:00Z',
  )
  .transform((input) => Date.parse(input))
  .refine((ms) => ms >= FIRST_TIME && ms <= LAST_TIME, 'must be between the years 1000 and 9999')
  .transform(instantAt);

const userRow = z.object({ id: id.transform(userId), name, email });
const productRow = z.object({ id: id.transform(productId), name, sku, price });
const orderRow = z.object({ id: id.transform(orderId), user_id: id.transform(userId), created_at: time });
const itemRow = z.object({
  order_id: id.transform(orderId),
  product_id: id.transform(productId),
  quantity: z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(1_000_000)),
  unit_price: price,
});

/**
 * Reads users.csv, products.csv, orders.csv and order_items.csv and checks every row, also against the other files.
 * @throws ImportFaults
 */
export async function readImport(directory: string, options: ReadOptions): Promise<ImportData> {
  const faults = new Faults();
  const onRead = await progressOf(directory, options);
  const common = { directory, faults, onRead };
  const users: User[] = [];
  const userIds = new Unique('users.csv', 'id', faults);
  const emails = new Unique('users.csv', 'email', faults);
  await readCsv(
    { ...common, file: 'users.csv', schema: userRow },
    (user, line) => {
      userIds.add(user.id, line);
      emails.add(user.email.toLowerCase(), line);
      users.push(user);
    },
    (row) => userIds.refuse(Number(row.id)),
  );

  const products: Product[] = [];
  const productIds = new Unique('products.csv', 'id', faults);
  const skus = new Unique('products.csv', 'sku', faults);
  await readCsv(
    { ...common, file: 'products.csv', schema: productRow },
    (product, line) => {
      productIds.add(product.id, line);
      skus.add(product.sku, line);
      products.push(product);
    },
    (row) => productIds.refuse(Number(row.id)),
  );

  const orders = new OrderColumns();
  /** Of each order, by its index. */
  const orderLines: number[] = [];
  /** Orders that have a fault, or a line that has one. */
  const refused = new Set<number>();
  await readCsv(
    { ...common, file: 'orders.csv', schema: orderRow },
    ({ id, user_id, created_at }, line) => {
      if (!userIds.has(user_id))
        faults.addDangling(`orders.csv:${line}: user_id: ${user_id} is not in users.csv`);
      const first = orders.indexOf(id);
      if (first !== undefined) {
        faults.add(`orders.csv:${line}: id: ${id} is on line ${orderLines[first]} already`);
        return;
      }
      orders.add(id, user_id, created_at);
      orderLines.push(line);
    },
    (row) => refused.add(Number(row.id)),
  );
  await readCsv(
    { ...common, file: 'order_items.csv', schema: itemRow },
    (item, line) => {
      const { order_id, product_id, quantity, unit_price } = item;
      const added = orders.addLine(order_id, { productId: product_id, quantity, unitPrice: unit_price });
      if (!added && !refused.has(order_id)) {
        faults.addDangling(`order_items.csv:${line}: order_id: there is no order ${order_id}`);
      }
      if (!productIds.has(product_id)) {
        faults.addDangling(`order_items.csv:${line}: product_id: ${product_id} is not in products.csv`);
      }
    },
    (row) => refused.add(Number(row.order_id)),
  );
  let index = 0;
  for (const { orderId, lines, total } of orders) {
    const fault = refused.has(orderId) ? undefined : faultOfOrder(lines.length, total, options.maxOrderTotal);
    if (fault !== undefined) faults.addDangling(`orders.csv:${orderLines[index]}: ${fault}`);
    index += 1;
  }
  faults.throwIfAny();
  return { users, products, orders };
}

function faultOfOrder(lines: number, total: Minor, maxOrderTotal: Minor): string | undefined {
  if (lines === 0) return 'the order has no lines in order_items.csv';
  if (lines > MAX_LINES_PER_ORDER) return `the order has more than ${MAX_LINES_PER_ORDER} lines`;
  if (total <= maxOrderTotal) return undefined;
  return `the order's total is ${formatMinor(total)}, above MAX_ORDER_TOTAL (${formatMinor(maxOrderTotal)})`;
}

/** @returns what to call for the bytes that were read. */
async function progressOf(directory: string, { onProgress }: ReadOptions): Promise<(bytes: number) => void> {
  // A file that is not there has its own fault.
  const sizes = await Promise.all(
    FILES.map((file) =>
      stat(join(directory, file)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  return (bytes) => {
    done += bytes;
    onProgress?.({ done, total });
  };
}
