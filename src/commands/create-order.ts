import type { ProductId, UserId } from '../domain/ids';
import { formatMinor, minorFromDecimal, type Minor } from '../domain/money';
import { totalOf, type OrderContent, type OrderLine } from '../domain/order';
import { Problem } from '../domain/problems';
import { SHARE_LOCK_IF_FREE } from '../mysql/dialect';
import { both, mapQuery, select, type Query } from '../mysql/session';
import { insertNewOrders } from '../mysql/tables/orders';
import type { CommandKind, Decision } from './writer/command';

interface CreateOrder {
  userId: UserId;
  items: { productId: ProductId; quantity: number }[];
}

interface Input {
  order: CreateOrder;
  /** The highest total of one order. */
  maxOrderTotal: Minor;
}

/** The users and products that orders name. */
export interface Catalogue {
  /** Those that exist, whether or not somebody has locked them. */
  users: ReadonlySet<number>;
  products: ReadonlySet<number>;
  /** Those that nobody else has locked, and that nobody can take away until the transaction ends. */
  freeUsers: ReadonlySet<number>;
  prices: ReadonlyMap<number, Minor>;
}

/**
 * Creates an order at the catalogue's prices of this moment.
 * Refused with `unknown-user`, `unknown-product`, `order-total-too-large`, `sum-bound-reached`.
 */
export const CREATE_ORDER: CommandKind<Input, Catalogue, OrderContent, 'OrderCreated'> = {
  events: ['OrderCreated'],
  shares: true,

  /**
   * Each row with a lock that passes over those that somebody else has locked: without it, the check of the foreign key
   * would make the whole group wait for a locked row. By the primary key, because a shared lock on an entry of another
   * index does not lock the row.
   */
  lookUp(inputs, dialect) {
    const ifFree = SHARE_LOCK_IF_FREE[dialect];
    const users = select<{ id: number }>(
      `SELECT id FROM users FORCE INDEX (PRIMARY) WHERE id IN (?) ${ifFree}`,
      [userIdsOf(inputs)],
    );
    const products = select<{ id: number; price: string }>(
      `SELECT id, price FROM products FORCE INDEX (PRIMARY) WHERE id IN (?) ${ifFree}`,
      [productIdsOf(inputs)],
    );
    return mapQuery(both(users, products), ([users, products]) => {
      const freeUsers = new Set(users.map(({ id }) => id));
      const prices = new Map(products.map(({ id, price }) => [id, minorFromDecimal(price)]));
      return { users: freeUsers, products: new Set(prices.keys()), freeUsers, prices };
    });
  },

  /**
   * Which of the others exist. A packet of its own, and not one more read of every row in the packet before: only a group
   * that names a missing or a locked row pays for it.
   */
  lookUpRest(inputs, catalogue) {
    const users = userIdsOf(inputs, catalogue.users);
    const products = productIdsOf(inputs, catalogue.products);
    if (users.length + products.length === 0) return undefined;
    return mapQuery(both(existing('users', users), existing('products', products)), ([users, products]) => ({
      ...catalogue,
      users: new Set([...catalogue.users, ...users]),
      products: new Set([...catalogue.products, ...products]),
    }));
  },

  decide(catalogue, accepted, { order: { userId, items }, maxOrderTotal }, now): Decision<OrderContent> {
    if (!catalogue.users.has(userId)) return new Problem('unknown-user', `There is no user ${userId}.`);
    if (!items.every(({ productId }) => catalogue.products.has(productId)))
      return unknownProducts(items, catalogue);
    if (!catalogue.freeUsers.has(userId)) return 'locked';
    const lines: OrderLine[] = [];
    for (const { productId, quantity } of items) {
      const unitPrice = catalogue.prices.get(productId);
      if (unitPrice === undefined) return 'locked';
      lines.push({ productId, quantity, unitPrice });
    }
    const total = totalOf(lines);
    if (total > maxOrderTotal) {
      const detail = `The order would cost ${formatMinor(total)}; the highest is ${formatMinor(maxOrderTotal)}.`;
      return new Problem('order-total-too-large', detail);
    }
    const order = { userId, total, createdAt: now, lines };
    return {
      row: order,
      events: [{ body: { type: 'OrderCreated', order }, subject: { inserted: accepted.length } }],
    };
  },

  write: insertNewOrders,
};

/** The users that orders name, besides those that are known. */
function userIdsOf(inputs: Input[], known: ReadonlySet<number> = NONE): UserId[] {
  const ids = new Set<UserId>();
  for (const { order } of inputs) if (!known.has(order.userId)) ids.add(order.userId);
  return [...ids];
}

/** The products that orders name, besides those that are known. */
function productIdsOf(inputs: Input[], known: ReadonlySet<number> = NONE): ProductId[] {
  const ids = new Set<ProductId>();
  for (const { order } of inputs) {
    for (const { productId } of order.items) if (!known.has(productId)) ids.add(productId);
  }
  return [...ids];
}

const NONE: ReadonlySet<number> = new Set();

/** Those that exist, whether or not somebody has locked them. */
function existing(table: 'users' | 'products', ids: number[]): Query<number[]> {
  if (ids.length === 0) return { statements: [], read: () => [] };
  const rows = select<{ id: number }>(`SELECT id FROM ${table} WHERE id IN (?)`, [ids]);
  return mapQuery(rows, (found) => found.map(({ id }) => id));
}

function unknownProducts(items: CreateOrder['items'], { products }: Catalogue): Problem {
  const unknown = items.map(({ productId }) => productId).filter((id) => !products.has(id));
  return new Problem('unknown-product', `There is no product ${[...new Set(unknown)].join(', ')}.`, {
    errors: items.flatMap(({ productId }, index) =>
      products.has(productId)
        ? []
        : [{ field: `items.${index}.product_id`, message: `there is no product ${productId}` }],
    ),
  });
}
