import { uniqueIdentity } from '../commands/writer/identity';
import { NothingToDo } from '../commands/writer/command';
import type { Receipt } from '../commands/writer/receipts';
import type { Writer } from '../commands/writer/writer';
import { fingerprint, type Order, type TallyEvent } from '../domain/events';
import { formatMinor, type Minor } from '../domain/money';
import type { Session } from '../mysql/pool';
import { latestEvents } from '../mysql/log';
import { insertOrders, lockOrders } from '../mysql/tables/orders';
import { toDatetime } from '../mysql/time';

/** A product that brings its id. */
export interface BulkProduct {
  id: number;
  name: string;
  sku: string;
  price: Minor;
}

/** A user who brings his id. */
export interface BulkUser {
  id: number;
  name: string;
  email: string;
}

/** An id is there already, with another content. */
export class BulkConflict extends Error {
  override readonly name = 'BulkConflict';
}

/**
 * Writes products with their own ids in one transaction, through the log like every other command. What is there already
 * with the same content is left alone, so that an import can be started again.
 * @returns undefined where all of them were there.
 * @throws BulkConflict
 */
export async function addProducts(
  writer: Writer,
  products: BulkProduct[],
  now: string,
): Promise<Receipt | undefined> {
  return addMissing(writer, now, async (session) => {
    const missing = await missingProducts(session, products);
    if (missing.length > 0) {
      await session.write('INSERT INTO products (id, name, sku, price, created_at) VALUES ?', [
        missing.map(({ id, name, sku, price }) => [id, name, sku, formatMinor(price), toDatetime(now)]),
      ]);
    }
    return missing.map(({ id, name, sku }) => ({ type: 'ProductAdded', productId: id, name, sku }));
  });
}

/** As `addProducts`, for users. */
export async function addUsers(writer: Writer, users: BulkUser[], now: string): Promise<Receipt | undefined> {
  return addMissing(writer, now, async (session) => {
    const missing = await missingUsers(session, users);
    if (missing.length > 0) {
      await session.write('INSERT INTO users (id, name, email, created_at) VALUES ?', [
        missing.map(({ id, name, email }) => [id, name, email, toDatetime(now)]),
      ]);
    }
    return missing.map(({ id, name }) => ({ type: 'UserRegistered', userId: id, name }));
  });
}

/** As `addProducts`, for orders with their own dates and prices; each is written whole. */
export async function addOrders(writer: Writer, orders: Order[], now: string): Promise<Receipt | undefined> {
  return addMissing(writer, now, async (session) => {
    const missing = await missingOrders(session, orders);
    const ids = missing.map(({ orderId }) => orderId);
    // An order may be gone from the table and still stand in the log: another program deleted it. Its row comes back
    // now, so what the log added before must be taken away first.
    const latest = await latestEvents(session, 'order', ids);
    insertOrders(session, missing);
    return missing.flatMap((order): TallyEvent[] => {
      const logged = latest.get(order.orderId)?.event;
      const created: TallyEvent = { type: 'OrderCreated', order };
      return logged?.type === 'OrderCreated'
        ? [{ type: 'OrderDeleted', order: logged.order }, created]
        : [created];
    });
  });
}

async function addMissing(
  writer: Writer,
  now: string,
  add: (session: Session) => Promise<TallyEvent[]>,
): Promise<Receipt | undefined> {
  return writer.executeIfNeeded({
    identity: uniqueIdentity(),
    now,
    async write(session) {
      const events = await add(session);
      const last = events.at(-1);
      if (last === undefined) throw new NothingToDo();
      return [...events.slice(0, -1), last];
    },
  });
}

/** Those that are not there. @throws BulkConflict where one is there with another content. */
export async function missingProducts(session: Session, products: BulkProduct[]): Promise<BulkProduct[]> {
  const rows = await session.rows<{ id: number; name: string; sku: string; price: string }>(
    'SELECT id, name, sku, price FROM products WHERE id IN (?) OR sku IN (?)',
    [products.map(({ id }) => id), products.map(({ sku }) => sku)],
  );
  insistOnOwner<{ id: number; sku: string }>('SKU', rows, products, ({ sku }) => sku);
  const stored = new Map(rows.map((row) => [row.id, JSON.stringify([row.name, row.sku, row.price])]));
  return missing('product', products, stored, ({ name, sku, price }) =>
    JSON.stringify([name, sku, formatMinor(price)]),
  );
}

/** Those that are not there. @throws BulkConflict where one is there with another content. */
export async function missingUsers(session: Session, users: BulkUser[]): Promise<BulkUser[]> {
  const rows = await session.rows<{ id: number; name: string; email: string }>(
    'SELECT id, name, email FROM users WHERE id IN (?) OR email IN (?)',
    [users.map(({ id }) => id), users.map(({ email }) => email)],
  );
  insistOnOwner<{ id: number; email: string }>('email', rows, users, ({ email }) => email.toLowerCase());
  const stored = new Map(rows.map((row) => [row.id, JSON.stringify([row.name, row.email])]));
  return missing('user', users, stored, ({ name, email }) => JSON.stringify([name, email]));
}

/** Those that are not there. @throws BulkConflict where one is there with another content. */
export async function missingOrders(session: Session, orders: Order[]): Promise<Order[]> {
  const rows = await lockOrders(
    session,
    orders.map(({ orderId }) => orderId),
  );
  const stored = new Map([...rows].map(([id, { order }]) => [id, String(fingerprint(order))]));
  const withId = orders.map((order) => ({ id: order.orderId, order }));
  return missing('order', withId, stored, ({ order }) => String(fingerprint(order))).map(
    ({ order }) => order,
  );
}

function missing<T extends { id: number }>(
  kind: string,
  items: T[],
  stored: Map<number, string>,
  content: (item: T) => string,
): T[] {
  const conflicts = items.filter((item) => stored.has(item.id) && stored.get(item.id) !== content(item));
  if (conflicts.length > 0) {
    const ids = conflicts.map(({ id }) => id);
    const list = ids.slice(0, 20).join(', ') + (ids.length > 20 ? ', …' : '');
    throw new BulkConflict(`${ids.length} ${kind}(s) are there already with another content: ${list}`);
  }
  return items.filter((item) => !stored.has(item.id));
}

/** @throws BulkConflict where a unique value of the import belongs to another id. */
function insistOnOwner<T extends { id: number }>(
  what: string,
  rows: T[],
  items: T[],
  of: (item: T) => string,
): void {
  const owners = new Map(rows.map((row) => [of(row), row.id]));
  const taken = items.filter((item) => (owners.get(of(item)) ?? item.id) !== item.id);
  if (taken.length > 0) {
    const list = taken.slice(0, 20).map((item) => `${of(item)} (id ${owners.get(of(item))})`);
    throw new BulkConflict(`${taken.length} ${what}(s) belong to another id already: ${list.join(', ')}`);
  }
}
