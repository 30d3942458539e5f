import { uniqueIdentity } from '../commands/writer/identity';
import type { Writer } from '../commands/writer/writer';
import { inParallel } from '../concurrency';
import { instantAt, type Instant } from '../domain/ids';
import type { Order } from '../domain/order';
import type { Database } from '../mysql/pool';
import { addMissing, BulkConflict, missingOf, ORDERS, PRODUCTS, USERS, type Bulk } from './bulk';
import type { ImportData } from './csv';

/** Rows of one transaction. An order has at least two, so there are at most 750 orders: see HIGHEST_ORDER_TOTAL. */
const BATCH_ROWS = 1500;
/** Transactions under way: while one waits for the disk, the next are made. */
const MAX_IN_FLIGHT = 3;

export interface ImportProgress {
  step: 'checking' | 'importing';
  /** Users, products and orders. */
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
  /** Of the last event; 0 where nothing was written. */
  position: number;
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
  const now = instantAt(Date.now());
  const users = new Part(USERS, data.users, oneRow);
  const products = new Part(PRODUCTS, data.products, oneRow);
  const orders = new Part(ORDERS, data.orders, rowsOfOrder);
  const parts = [users, products, orders];
  const all = data.users.length + data.products.length + data.orders.length;
  const counter = (step: ImportProgress['step'], total: number) => {
    let done = 0;
    return (count: number) => onProgress({ step, done: (done += count), total });
  };

  const onChecked = counter('checking', all);
  for (const part of parts) await part.check(database, onChecked);
  const total = parts.reduce((sum, { missing }) => sum + missing, 0);
  const onWritten = counter('importing', total);
  let position = 0;
  for (const part of parts) position = Math.max(position, await part.write(writer, now, onWritten));
  return {
    users: users.missing,
    products: products.missing,
    orders: orders.missing,
    skipped: all - total,
    position,
  };
}

/** The users, the products, or the orders. */
class Part<T> {
  /** How many of each batch `check` did not find. */
  private readonly missingOf: number[] = [];

  constructor(
    private readonly bulk: Bulk<T>,
    private readonly items: Iterable<T>,
    private readonly rowsOf: (item: T) => number,
  ) {}

  get missing(): number {
    return this.missingOf.reduce((sum, count) => sum + count, 0);
  }

  /** @throws BulkConflict */
  async check(database: Database, onChecked: (count: number) => void): Promise<void> {
    await this.forEachBatch(async (batch, index) => {
      const stored = await database.session((session) => session.ask(this.bulk.find(batch)));
      const missing = missingOf(this.bulk, batch, stored);
      if (missing instanceof BulkConflict) throw missing;
      this.missingOf[index] = missing.length;
      onChecked(batch.length);
    });
  }

  /** @returns the position of the last event; 0 where nothing was written. */
  async write(writer: Writer, now: Instant, onWritten: (count: number) => void): Promise<number> {
    const kind = addMissing(this.bulk);
    let position = 0;
    await this.forEachBatch(async (batch, index) => {
      const missing = this.missingOf[index] ?? 0;
      if (missing === 0) return;
      const outcome = await writer.execute(kind, batch, {
        identity: uniqueIdentity(),
        now,
        actor: undefined,
      });
      if (outcome instanceof BulkConflict) throw outcome;
      if (outcome !== 'nothing-to-do') position = Math.max(position, outcome.logged.position);
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
