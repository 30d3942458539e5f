import type { Writer } from '../commands/writer';
import type { Database, Session } from '../mysql/database';
import { addOrders, addProducts, addUsers, missingOrders, missingProducts, missingUsers } from './bulk';
import type { ImportData } from './csv';

const BATCH_ROWS = 500;
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
  const users = await stillMissing(database, data.users, missingUsers);
  const products = await stillMissing(database, data.products, missingProducts);
  const orders = await stillMissing(database, data.orders, missingOrders);
  const total = users.length + products.length + orders.length;

  let done = 0;
  let position: number | undefined;
  const write = async <T>(items: T[], add: (batch: T[]) => ReturnType<typeof addOrders>) =>
    inParallel(batches(items), MAX_IN_FLIGHT, async (batch) => {
      const written = (await add(batch))?.logged.position;
      if (written !== undefined) position = Math.max(position ?? 0, written);
      done += batch.length;
      onProgress({ done, total });
    });
  await write(users, (batch) => addUsers(writer, batch, now));
  await write(products, (batch) => addProducts(writer, batch, now));
  await write(orders, (batch) => addOrders(writer, batch, now));
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
  missing: (session: Session, batch: T[]) => Promise<T[]>,
): Promise<T[]> {
  const found: T[][] = [];
  await inParallel([...batches(items)].entries(), MAX_IN_FLIGHT, async ([index, batch]) => {
    found[index] = await database.session((session) => missing(session, batch));
  });
  return found.flat();
}

/** Does the work for all items, for at most `limit` at a time; begins nothing more once one has failed. */
async function inParallel<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    while (failures.length === 0) {
      const next = left.next();
      if (next.done === true) return;
      await work(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures[0];
}

function* batches<T>(items: T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += BATCH_ROWS) yield items.slice(at, at + BATCH_ROWS);
}
