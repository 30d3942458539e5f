import type { CommandKind, Draft } from '../commands/writer/command';
import { correctionId } from '../commands/writer/identity';
import type { EventBody, LoggedEvent, SubjectKind } from '../domain/events';
import type { Instant } from '../domain/ids';
import { formatMinor } from '../domain/money';
import { fingerprint, type Order } from '../domain/order';
import { counted } from '../domain/plain-english';
import { statedBy } from '../domain/reconcile';
import { latestEventsOf } from '../mysql/log';
import { both, mapQuery, type Query, type Statement } from '../mysql/session';
import { insertOrders, ordersById } from '../mysql/tables/orders';
import { insertProducts, productsByIdOrSku, type Product } from '../mysql/tables/products';
import { insertUsers, usersByIdOrEmail, type User } from '../mysql/tables/users';

/** An id or a unique value is there already, with another content. */
export class BulkConflict extends Error {
  override readonly name = 'BulkConflict';
}

/** More ids are not told. */
const MAX_TOLD = 20;

/** How users, products or orders with ids of their own are written in bulk. */
export interface Bulk<T> {
  kind: SubjectKind;
  idOf(item: T): number;
  bodyOf(item: T): EventBody;
  /** Equal contents are equal texts. */
  contentOf(item: T): string;
  /** A value that no other id may have; undefined where there is no such column. */
  uniqueOf(item: T): string | undefined;
  /** What MySQL holds that has the id or the unique value of one of these. */
  find(items: T[]): Query<T[]>;
  insert(items: T[], now: Instant): Statement[];
}

export const PRODUCTS: Bulk<Product> = {
  kind: 'product',
  idOf: ({ id }) => id,
  bodyOf: ({ name, sku }) => ({ type: 'ProductAdded', name, sku }),
  contentOf: ({ name, sku, price }) => JSON.stringify([name, sku, formatMinor(price)]),
  uniqueOf: ({ sku }) => sku,
  find: productsByIdOrSku,
  insert: insertProducts,
};

export const USERS: Bulk<User> = {
  kind: 'user',
  idOf: ({ id }) => id,
  bodyOf: ({ name }) => ({ type: 'UserRegistered', name }),
  contentOf: ({ name, email }) => JSON.stringify([name, email]),
  uniqueOf: ({ email }) => email.toLowerCase(),
  find: usersByIdOrEmail,
  insert: insertUsers,
};

export const ORDERS: Bulk<Order> = {
  kind: 'order',
  idOf: ({ orderId }) => orderId,
  bodyOf: (order) => ({ type: 'OrderCreated', order }),
  contentOf: (order) => String(fingerprint(order)),
  uniqueOf: () => undefined,
  find: (orders) =>
    mapQuery(ordersById(orders.map(({ orderId }) => orderId)), (stored) => stored.map(({ order }) => order)),
  insert: insertOrders,
};

/** Pure: the items that are not there yet; what is there with the same content is left alone. */
export function missingOf<T>(bulk: Bulk<T>, items: T[], stored: T[]): T[] | BulkConflict {
  const ids = new Set(items.map((item) => bulk.idOf(item)));
  const owners = new Map(stored.map((row) => [bulk.uniqueOf(row), bulk.idOf(row)]));
  const taken = items.flatMap((item) => {
    const unique = bulk.uniqueOf(item);
    const owner = unique === undefined ? undefined : owners.get(unique);
    return owner === undefined || owner === bulk.idOf(item) ? [] : [`${unique} (id ${owner})`];
  });
  // Found by its value alone, though it is written otherwise: MySQL takes é for e.
  for (const row of stored) {
    const told = `${bulk.uniqueOf(row)} (id ${bulk.idOf(row)})`;
    if (!ids.has(bulk.idOf(row)) && !taken.includes(told)) taken.push(told);
  }
  if (taken.length > 0) {
    const what = bulk.kind === 'product' ? 'SKU' : 'email';
    const belong = counted(taken.length, `${what} belongs`, `${what}s belong`);
    return new BulkConflict(`${belong} to another id already: ${listOf(taken)}`);
  }
  const contents = new Map(stored.map((row) => [bulk.idOf(row), bulk.contentOf(row)]));
  const others = items.filter((item) => {
    const content = contents.get(bulk.idOf(item));
    return content !== undefined && content !== bulk.contentOf(item);
  });
  if (others.length > 0) {
    const ids = listOf(others.map((item) => String(bulk.idOf(item))));
    return new BulkConflict(
      `${counted(others.length, `${bulk.kind} is`, `${bulk.kind}s are`)} there already with another content: ${ids}`,
    );
  }
  return items.filter((item) => !contents.has(bulk.idOf(item)));
}

function listOf(texts: string[]): string {
  return texts.slice(0, MAX_TOLD).join(', ') + (texts.length > MAX_TOLD ? ', …' : '');
}

/** The command that writes a batch in one transaction, through the log like every other command. */
export function addMissing<T>(
  bulk: Bulk<T>,
): CommandKind<
  T[],
  [stored: T[], latest: Map<number, LoggedEvent>],
  Statement[],
  'ProductAdded' | 'UserRegistered' | 'OrderCreated',
  'nothing-to-do' | BulkConflict
> {
  return {
    events: ['ProductAdded', 'UserRegistered', 'OrderCreated'],
    shares: false,
    lookUp: ([items]) =>
      both(
        bulk.find(items),
        latestEventsOf(
          bulk.kind,
          items.map((item) => bulk.idOf(item)),
        ),
      ),
    decide([stored, latest], _accepted, items, now) {
      const missing = missingOf(bulk, items, stored);
      if (missing instanceof BulkConflict) return { told: missing };
      if (missing.length === 0) return { told: 'nothing-to-do' };
      return {
        row: bulk.insert(missing, now),
        events: missing.flatMap((item) => draftsOf(bulk, item, latest.get(bulk.idOf(item)))),
      };
    },
    write: ([insert]) => insert,
  };
}

/**
 * What is gone from the table may still stand in the log: another program deleted it. Its row comes back now. So what the
 * log added for an order must be taken away first; a product or a user is only stated again.
 */
function draftsOf<T>(bulk: Bulk<T>, item: T, latest: LoggedEvent | undefined): Draft[] {
  const own = { body: bulk.bodyOf(item), subject: bulk.idOf(item) };
  const stated = statedBy(latest?.event);
  if (stated === undefined) return [own];
  const eventId = correctionId(bulk.kind, own.subject, latest?.eventId);
  if (stated.type !== 'OrderCreated') return [{ ...own, eventId, restates: true }];
  return [{ body: { type: 'OrderDeleted', order: stated.order }, subject: own.subject, eventId }, own];
}
