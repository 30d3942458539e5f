import type { Writer } from '../commands/writer';
import type { Database, Session } from '../mysql/database';
import { addOrders, addProducts, addUsers, missingOrders, missingProducts, missingUsers } from './bulk';
import type { ImportData } from './csv';

const BATCH_ROWS = 200;

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
  const write = async <T>(items: T[], add: (batch: T[]) => ReturnType<typeof addOrders>) => {
    for (const batch of batches(items)) {
      position = (await add(batch))?.logged.position ?? position;
      done += batch.length;
      onProgress({ done, total });
    }
  };
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
  const found: T[] = [];
  for (const batch of batches(items))
    found.push(...(await database.session((session) => missing(session, batch))));
  return found;
}

function* batches<T>(items: T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += BATCH_ROWS) yield items.slice(at, at + BATCH_ROWS);
}
