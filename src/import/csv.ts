import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse';
import { z } from 'zod';
import { errorCode, errorMessage } from '../errors';
import { lineRevenue, type Order } from '../events';
import { MAX_ORDER_TOTAL, MAX_PRICE, parseMinor, type Minor } from '../money';
import type { BulkProduct, BulkUser } from './bulk';

/** More lines than this make one event too large to be applied in one go. */
const MAX_LINES_PER_ORDER = 1000;

/** What is wrong, with file and line: `orders.csv:12: user_id: there is no user 99`. */
export class ImportFaults extends Error {
  override readonly name = 'ImportFaults';

  constructor(readonly faults: string[]) {
    super(`${faults.length} fault(s) in the files; nothing was imported`);
  }
}

/** The contents of the four files. */
export interface ImportData {
  users: BulkUser[];
  products: BulkProduct[];
  orders: Order[];
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
const time = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()])
  .transform((input) => new Date(input).toISOString())
  .refine((iso) => iso >= '1000-01-01' && iso.length === 24, 'must be between the years 1000 and 9999');

const userRow = z.object({ id, name: text(200), email: z.email().max(254) });
const productRow = z.object({ id, name: text(200), sku: text(64), price });
const orderRow = z.object({ id, user_id: id, created_at: time });
const itemRow = z.object({
  order_id: id,
  product_id: id,
  quantity: z
    .string()
    .regex(/^\d{1,7}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(1_000_000)),
  unit_price: price,
});

/** A row and the line that it ends on. */
interface Row<T> {
  line: number;
  value: T;
}

/**
 * Reads users.csv, products.csv, orders.csv and order_items.csv and checks every row, also against the other files.
 * @throws ImportFaults with every bad row.
 */
export async function readImport(directory: string): Promise<ImportData> {
  const faults: string[] = [];
  const users = await readFile(directory, 'users.csv', userRow, faults);
  const products = await readFile(directory, 'products.csv', productRow, faults);
  const orders = await readFile(directory, 'orders.csv', orderRow, faults);
  const items = await readFile(directory, 'order_items.csv', itemRow, faults);

  const userIds = unique('users.csv', 'id', users, ({ id }) => id, faults);
  unique('users.csv', 'email', users, ({ email }) => email.toLowerCase(), faults);
  const productIds = unique('products.csv', 'id', products, ({ id }) => id, faults);
  unique('products.csv', 'sku', products, ({ sku }) => sku, faults);
  unique('orders.csv', 'id', orders, ({ id }) => id, faults);

  const byId = new Map<number, Row<Order>>();
  for (const { line, value } of orders) {
    if (!userIds.has(value.user_id))
      faults.push(`orders.csv:${line}: user_id: there is no user ${value.user_id}`);
    const order = {
      orderId: value.id,
      userId: value.user_id,
      total: 0n,
      createdAt: value.created_at,
      lines: [],
    };
    byId.set(value.id, { line, value: order });
  }
  for (const { line, value } of items) {
    const order = byId.get(value.order_id)?.value;
    if (order === undefined)
      faults.push(`order_items.csv:${line}: order_id: there is no order ${value.order_id}`);
    if (!productIds.has(value.product_id)) {
      faults.push(`order_items.csv:${line}: product_id: there is no product ${value.product_id}`);
    }
    if (order === undefined) continue;
    const orderLine = { productId: value.product_id, quantity: value.quantity, unitPrice: value.unit_price };
    order.lines.push(orderLine);
    order.total += lineRevenue(orderLine);
  }
  for (const { line, value } of byId.values()) {
    const count = value.lines.length;
    if (count === 0) faults.push(`orders.csv:${line}: the order has no lines in order_items.csv`);
    if (count > MAX_LINES_PER_ORDER)
      faults.push(`orders.csv:${line}: the order has more than ${MAX_LINES_PER_ORDER} lines`);
    if (value.total > MAX_ORDER_TOTAL)
      faults.push(`orders.csv:${line}: the order's total is above 999999999999.99`);
  }
  if (faults.length > 0) throw new ImportFaults(faults);
  return {
    users: users.map(({ value }) => value),
    products: products.map(({ value }) => value),
    orders: [...byId.values()].map(({ value }) => value),
  };
}

async function readFile<S extends z.ZodObject>(
  directory: string,
  file: string,
  schema: S,
  faults: string[],
): Promise<Row<z.output<S>>[]> {
  const rows: Row<z.output<S>>[] = [];
  const parser = createReadStream(join(directory, file))
    .on('error', (error) => parser.destroy(error))
    .pipe(
      parse({
        columns: true,
        info: true,
        bom: true,
        trim: true,
        relax_column_count: true,
        skip_empty_lines: true,
      }),
    );
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: unknown;
      info: { lines: number };
    }>) {
      const parsed = schema.safeParse(record);
      if (parsed.success) rows.push({ line: info.lines, value: parsed.data });
      else {
        for (const { path, message } of parsed.error.issues) {
          faults.push(`${file}:${info.lines}: ${path.join('.')}: ${message}`);
        }
      }
    }
  } catch (error) {
    // The parser names the line itself; a file that is not there has none.
    faults.push(
      errorCode(error) === 'ENOENT'
        ? `${file}: there is no such file in ${directory}`
        : `${file}: ${errorMessage(error)}`,
    );
  }
  return rows;
}

/** The distinct values of a column; a value that comes twice is a fault. */
function unique<T, K>(
  file: string,
  column: string,
  rows: Row<T>[],
  of: (row: T) => K,
  faults: string[],
): Set<K> {
  const seen = new Map<K, number>();
  for (const { line, value } of rows) {
    const key = of(value);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, line);
    else faults.push(`${file}:${line}: ${column}: ${String(key)} is on line ${first} already`);
  }
  return new Set(seen.keys());
}
