import type { Receipt } from '../commands/writer/receipts';
import type { Writer } from '../commands/writer/writer';
import { inParallel } from '../concurrency';
import type { Order } from '../domain/events';
import type { Database, Session } from '../mysql/pool';
import { addOrders, addProducts, addUsers, missingOrders, missingProducts, missingUsers } from './bulk';
import type { ImportData } from './csv';

const BATCH_ROWS = 1500;
/** Transactions under way: while one waits for the disk, the next are made. */
const MAX_IN_FLIGHT = 3;

export interface ImportProgress {
  done: number;
  total: number;
}

export interface Imported {
  /** What was written by this call. */
  users: number;
  products: number;
  orders: number;
  /** What was there already, with the same content. */
  skipped: number;
  /** The position of the last event; undefined where nothing was written. */
  position: number | undefined;
}

/**
 * Writes users, products and orders with their own ids, through the log, in batches; each order whole. What is there
 * already with the same content is left alone: started again after a crash, it goes on where it was.
 * @throws BulkConflict where an id is there with another content; found before anything is written.
 */
export async function importData(
  writer: Writer,
  database: Database,
  data: ImportData,
  onProgress: (progress: ImportProgress) => void = () => undefined,
): Promise<Imported> {
  const now = new Date().toISOString();
  const users = new Part(data.users, oneRow, missingUsers, (batch) => addUsers(writer, batch, now));
  const products = new Part(data.products, oneRow, missingProducts, (batch) =>
    addProducts(writer, batch, now),
  );
  const orders = new Part(data.orders, rowsOfOrder, missingOrders, (batch) => addOrders(writer, batch, now));
  const parts = [users, products, orders];
  for (const part of parts) await part.check(database);
  const total = parts.reduce((sum, { missing }) => sum + missing, 0);
  let done = 0;
  const onWritten = (count: number) => {
    done += count;
    onProgress({ done, total });
  };
  const positions: number[] = [];
  for (const part of parts) positions.push(await part.write(onWritten));
  const position = Math.max(...positions);
  const all = data.users.length + data.products.length + data.orders.length;
  return {
    users: users.missing,
    products: products.missing,
    orders: orders.missing,
    skipped: all - total,
    position: position === 0 ? undefined : position,
  };
}

/** The users, the products, or the orders. */
class Part<T> {
  /** How many of each batch `check` did not find. */
  private readonly missingOf: number[] = [];

  constructor(
    private readonly items: Iterable<T>,
    private readonly rowsOf: (item: T) => number,
    private readonly findMissing: (session: Session, batch: T[]) => Promise<T[]>,
    private readonly add: (batch: T[]) => Promise<Receipt | undefined>,
  ) {}

  get missing(): number {
    return this.missingOf.reduce((sum, count) => sum + count, 0);
  }

  /** @throws BulkConflict */
  async check(database: Database): Promise<void> {
    await this.forEachBatch(async (batch, index) => {
      const missing = await database.session((session) => this.findMissing(session, batch));
      this.missingOf[index] = missing.length;
    });
  }

  /** @returns the position of the last event; 0 where nothing was written. */
  async write(onWritten: (count: number) => void): Promise<number> {
    let position = 0;
    await this.forEachBatch(async (batch, index) => {
      const missing = this.missingOf[index] ?? 0;
      if (missing === 0) return;
      const receipt = await this.add(batch);
      position = Math.max(position, receipt?.logged.position ?? 0);
      onWritten(missing);
    });
    return position;
  }

  private async forEachBatch(work: (batch: T[], index: number) => Promise<void>): Promise<void> {
    let next = 0;
    await inParallel(batches(this.items, this.rowsOf), MAX_IN_FLIGHT, (batch) => work(batch, next++));
  }
}

const oneRow = () => 1;
const rowsOfOrder = ({ lines }: Order) => 1 + lines.length;

/** Cut so that the rows of a batch, an order with all its lines, stay far below the largest packet that MySQL takes. */
function* batches<T>(items: Iterable<T>, rowsOf: (item: T) => number): Generator<T[]> {
  let batch: T[] = [];
  let rows = 0;
  for (const item of items) {
    batch.push(item);
    rows += rowsOf(item);
    if (rows < BATCH_ROWS) continue;
    yield batch;
    batch = [];
    rows = 0;
  }
  if (batch.length > 0) yield batch;
}
