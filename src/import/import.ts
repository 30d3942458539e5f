import type { Writer } from '../commands/writer';
import { inParallel } from '../concurrency';
import type { Order } from '../events';
import type { Database, Session } from '../mysql/database';
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
  const all = data.users.length + data.products.length + data.orders.length;
  const users = await stillMissing(database, data.users, oneRow, missingUsers);
  const products = await stillMissing(database, data.products, oneRow, missingProducts);
  const orders = await stillMissing(database, data.orders, rowsOfOrder, missingOrders);
  const total = users.length + products.length + orders.length;

  let done = 0;
  let position: number | undefined;
  const write = async <T>(
    items: T[],
    rowsOf: (item: T) => number,
    add: (batch: T[]) => ReturnType<typeof addOrders>,
  ) =>
    inParallel(batches(items, rowsOf), MAX_IN_FLIGHT, async (batch) => {
      const written = (await add(batch))?.logged.position;
      if (written !== undefined) position = Math.max(position ?? 0, written);
      done += batch.length;
      onProgress({ done, total });
    });
  await write(users, oneRow, (batch) => addUsers(writer, batch, now));
  await write(products, oneRow, (batch) => addProducts(writer, batch, now));
  await write(orders, rowsOfOrder, (batch) => addOrders(writer, batch, now));
  return {
    users: users.length,
    products: products.length,
    orders: orders.length,
    skipped: all - total,
    position,
  };
}

async function stillMissing<T>(
  database: Database,
  items: T[],
  rowsOf: (item: T) => number,
  missing: (session: Session, batch: T[]) => Promise<T[]>,
): Promise<T[]> {
  const found: T[][] = [];
  await inParallel([...batches(items, rowsOf)].entries(), MAX_IN_FLIGHT, async ([index, batch]) => {
    found[index] = await database.session((session) => missing(session, batch));
  });
  return found.flat();
}

const oneRow = () => 1;
const rowsOfOrder = ({ lines }: Order) => 1 + lines.length;

/** Cut so that the rows of a batch, an order with all its lines, stay far below the largest packet that MySQL takes. */
function* batches<T>(items: T[], rowsOf: (item: T) => number): Generator<T[]> {
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
