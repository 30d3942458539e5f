import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { z } from 'zod';
import { errorCode, errorMessage } from '../domain/errors';
import { instantAt, orderId, productId, userId } from '../domain/ids';
import { formatMinor, MAX_PRICE, parseMinor, type Minor } from '../domain/money';
import type { Order } from '../domain/order';
import type { Product } from '../mysql/tables/products';
import type { User } from '../mysql/tables/users';
import { Faults, Unique } from './faults';
import { OrderColumns } from './order-columns';

/** More lines than this make one event too large to be applied in one go. */
const MAX_LINES_PER_ORDER = 1000;

const FILES = ['users.csv', 'products.csv', 'orders.csv', 'order_items.csv'] as const;
type File = (typeof FILES)[number];

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
const text = (max: number) => z.string().trim().min(1).max(max);
const price = z.string().transform((input, context): Minor => {
  const minor = parseMinor(input);
  if (minor !== undefined && minor >= 0n && minor <= MAX_PRICE) return minor;
  context.addIssue('must be a decimal from 0 to 9999999999.99 with at most two places');
  return z.NEVER;
});
/** Those of DATETIME. */
const FIRST_TIME = Date.parse('1000-01-01T00:00:00.000Z');
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');
const time = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()])
  .transform((input) => Date.parse(input))
  .refine((ms) => ms >= FIRST_TIME && ms <= LAST_TIME, 'must be between the years 1000 and 9999')
  .transform(instantAt);

const userRow = z.object({ id: id.transform(userId), name: text(200), email: z.email().max(254) });
const productRow = z.object({ id: id.transform(productId), name: text(200), sku: text(64), price });
const orderRow = z.object({ id: id.transform(orderId), user_id: id.transform(userId), created_at: time });
const itemRow = z.object({
  order_id: id.transform(orderId),
  product_id: id.transform(productId),
  quantity: z
    .string()
    .regex(/^\d{1,7}$/, 'must be a whole number')
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
  const source = { directory, faults, onRead: await progressOf(directory, options) };
  const users: User[] = [];
  const userIds = new Unique('users.csv', 'id', faults);
  const emails = new Unique('users.csv', 'email', faults);
  await readRows(source, 'users.csv', userRow, (user, line) => {
    userIds.add(user.id, line);
    emails.add(user.email.toLowerCase(), line);
    users.push(user);
  });

  const products: Product[] = [];
  const productIds = new Unique('products.csv', 'id', faults);
  const skus = new Unique('products.csv', 'sku', faults);
  await readRows(source, 'products.csv', productRow, (product, line) => {
    productIds.add(product.id, line);
    skus.add(product.sku, line);
    products.push(product);
  });

  const orders = new OrderColumns();
  /** Of each order, by its index. */
  const orderLines: number[] = [];
  await readRows(source, 'orders.csv', orderRow, ({ id, user_id, created_at }, line) => {
    if (!userIds.has(user_id)) faults.add(`orders.csv:${line}: user_id: there is no user ${user_id}`);
    const first = orders.indexOf(id);
    if (first !== undefined) {
      faults.add(`orders.csv:${line}: id: ${id} is on line ${orderLines[first]} already`);
      return;
    }
    orders.add(id, user_id, created_at);
    orderLines.push(line);
  });
  await readRows(source, 'order_items.csv', itemRow, (item, line) => {
    const { order_id, product_id, quantity, unit_price } = item;
    const added = orders.addLine(order_id, { productId: product_id, quantity, unitPrice: unit_price });
    if (!added) faults.add(`order_items.csv:${line}: order_id: there is no order ${order_id}`);
    if (!productIds.has(product_id)) {
      faults.add(`order_items.csv:${line}: product_id: there is no product ${product_id}`);
    }
  });
  let index = 0;
  for (const { lines, total } of orders) {
    const fault = faultOfOrder(lines.length, total, options.maxOrderTotal);
    if (fault !== undefined) faults.add(`orders.csv:${orderLines[index]}: ${fault}`);
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

/** Hands over the rows of a file one by one, with the lines that they end on. */
async function readRows<S extends z.ZodObject>(
  { directory, faults, onRead }: { directory: string; faults: Faults; onRead: (bytes: number) => void },
  file: File,
  schema: S,
  take: (row: z.output<S>, line: number) => void,
): Promise<void> {
  const parser = parse({
    columns: true,
    bom: true,
    trim: true,
    relax_column_count: true,
    skip_empty_lines: true,
    on_record(record: unknown, { lines }) {
      const parsed = schema.safeParse(record);
      if (parsed.success) take(parsed.data, lines);
      else
        for (const { path, message } of parsed.error.issues)
          faults.add(`${file}:${lines}: ${path.join('.')}: ${message}`);
      return null; // nothing is kept
    },
  });
  try {
    const bytes = createReadStream(join(directory, file)).on('data', (chunk) => onRead(chunk.length));
    await pipeline(bytes, parser.resume());
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error; // neither the file's fault nor the parser's
    // The parser names the line itself; a file that is not there has none.
    faults.addFirst(
      code === 'ENOENT'
        ? `${file}: there is no such file in ${directory}`
        : `${file}: ${errorMessage(error)}`,
    );
  }
}
