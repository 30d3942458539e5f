import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { z } from 'zod';
import { errorCode, errorMessage } from '../domain/problems';
import type { Order } from '../domain/events';
import { MAX_ORDER_TOTAL, MAX_PRICE, parseMinor, type Minor } from '../domain/money';
import type { BulkProduct, BulkUser } from './bulk';
import { OrderColumns } from './order-columns';

/** More lines than this make one event too large to be applied in one go. */
const MAX_LINES_PER_ORDER = 1000;

/** Faults that are kept; the others are counted. */
const MAX_FAULTS = 100;

/** What is wrong, with file and line: `orders.csv:12: user_id: there is no user 99`. */
export class ImportFaults extends Error {
  override readonly name = 'ImportFaults';

  constructor(
    /** The first of them. */
    readonly faults: string[],
    readonly count: number,
  ) {
    super(`${count} fault(s) in the files; nothing was imported`);
  }
}

/** The contents of the four files. */
export interface ImportData {
  users: BulkUser[];
  products: BulkProduct[];
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
  .refine((time) => time >= FIRST_TIME && time <= LAST_TIME, 'must be between the years 1000 and 9999');

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

/**
 * Reads users.csv, products.csv, orders.csv and order_items.csv and checks every row, also against the other files.
 * @throws ImportFaults
 */
export async function readImport(directory: string): Promise<ImportData> {
  const faults = new Faults();
  const users: BulkUser[] = [];
  const userIds = new Unique('users.csv', 'id', faults);
  const emails = new Unique('users.csv', 'email', faults);
  await readRows(directory, 'users.csv', userRow, faults, (user, line) => {
    userIds.add(user.id, line);
    emails.add(user.email.toLowerCase(), line);
    users.push(user);
  });

  const products: BulkProduct[] = [];
  const productIds = new Unique('products.csv', 'id', faults);
  const skus = new Unique('products.csv', 'sku', faults);
  await readRows(directory, 'products.csv', productRow, faults, (product, line) => {
    productIds.add(product.id, line);
    skus.add(product.sku, line);
    products.push(product);
  });

  const orders = new OrderColumns();
  /** Of each order, by its index. */
  const orderLines: number[] = [];
  await readRows(directory, 'orders.csv', orderRow, faults, ({ id, user_id, created_at }, line) => {
    if (!userIds.has(user_id)) faults.add(`orders.csv:${line}: user_id: there is no user ${user_id}`);
    const first = orders.indexOf(id);
    if (first !== undefined) {
      faults.add(`orders.csv:${line}: id: ${id} is on line ${orderLines[first]} already`);
      return;
    }
    orders.add(id, user_id, created_at);
    orderLines.push(line);
  });
  await readRows(directory, 'order_items.csv', itemRow, faults, (item, line) => {
    const { order_id, product_id, quantity, unit_price } = item;
    const added = orders.addLine(order_id, { productId: product_id, quantity, unitPrice: unit_price });
    if (!added) faults.add(`order_items.csv:${line}: order_id: there is no order ${order_id}`);
    if (!productIds.has(product_id)) {
      faults.add(`order_items.csv:${line}: product_id: there is no product ${product_id}`);
    }
  });
  let index = 0;
  for (const { lines, total } of orders) {
    const fault = faultOfOrder(lines.length, total);
    if (fault !== undefined) faults.add(`orders.csv:${orderLines[index]}: ${fault}`);
    index += 1;
  }
  faults.throwIfAny();
  return { users, products, orders };
}

function faultOfOrder(lines: number, total: Minor): string | undefined {
  if (lines === 0) return 'the order has no lines in order_items.csv';
  if (lines > MAX_LINES_PER_ORDER) return `the order has more than ${MAX_LINES_PER_ORDER} lines`;
  return total > MAX_ORDER_TOTAL ? "the order's total is above 999999999999.99" : undefined;
}

/** Hands over the rows of a file one by one, with the lines that they end on. */
async function readRows<S extends z.ZodObject>(
  directory: string,
  file: string,
  schema: S,
  faults: Faults,
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
    await pipeline(createReadStream(join(directory, file)), parser.resume());
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

class Faults {
  private readonly first: string[] = [];
  private count = 0;

  add(fault: string): void {
    this.count += 1;
    if (this.first.length < MAX_FAULTS) this.first.push(fault);
  }

  /** One that explains others: it is kept however many there are. */
  addFirst(fault: string): void {
    this.count += 1;
    this.first.unshift(fault);
  }

  /** @throws ImportFaults */
  throwIfAny(): void {
    if (this.count > 0) throw new ImportFaults(this.first, this.count);
  }
}

/** The values of a column, and the lines that they are on; a value that comes twice is a fault. */
class Unique {
  private readonly lines = new Map<string | number, number>();

  constructor(
    private readonly file: string,
    private readonly column: string,
    private readonly faults: Faults,
  ) {}

  add(value: string | number, line: number): void {
    const first = this.lines.get(value);
    if (first === undefined) this.lines.set(value, line);
    else this.faults.add(`${this.file}:${line}: ${this.column}: ${value} is on line ${first} already`);
  }

  has(value: string | number): boolean {
    return this.lines.has(value);
  }
}
