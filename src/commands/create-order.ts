import type { ProductId, UserId } from '../domain/ids';
import { formatMinor, minorFromDecimal, type Minor } from '../domain/money';
import { totalOf, type OrderContent, type OrderLine } from '../domain/order';
import { Problem } from '../domain/problems';
import { SHARE_LOCK_IF_FREE } from '../mysql/dialect';
import { mapQuery, select } from '../mysql/session';
import { insertNewOrders } from '../mysql/tables/orders';
import type { CommandContext } from './context';
import type { CommandKind, Decision, Request } from './writer/command';
import type { Receipt } from './writer/receipts';

export interface CreateOrder {
  userId: UserId;
  items: { productId: ProductId; quantity: number }[];
}

/**
 * Creates an order at the catalogue's prices of this moment.
 * @throws Problem `unknown-user`, `unknown-product`, `order-total-too-large`, `sum-bound-reached`, and those of the writer.
 */
export async function createOrder(
  { writer, maxOrderTotal }: CommandContext,
  order: CreateOrder,
  request: Request,
): Promise<Receipt<'OrderCreated'>> {
  return writer.execute(CREATE_ORDER, { ...order, maxOrderTotal }, request);
}

type Input = CreateOrder & { maxOrderTotal: Minor };

/** The users and products that orders name. */
export interface Catalogue {
  /** Those that exist, whether or not somebody has locked them. */
  users: ReadonlySet<number>;
  products: ReadonlySet<number>;
  /** Those that nobody else has locked, and that nobody can take away until the transaction ends. */
  freeUsers: ReadonlySet<number>;
  prices: ReadonlyMap<number, Minor>;
}

export const CREATE_ORDER: CommandKind<Input, Catalogue, OrderContent, 'OrderCreated'> = {
  events: ['OrderCreated'],
  shares: true,

  lookUp(inputs, dialect) {
    const userIds = [...new Set(inputs.map(({ userId }) => userId))];
    const productIds = [...new Set(inputs.flatMap(({ items }) => items.map(({ productId }) => productId)))];
    const ifFree = SHARE_LOCK_IF_FREE[dialect];
    // Each row is read plainly (does it exist?) and with a lock that passes over locked rows (is it free?). Without that
    // lock, the check of the foreign key would make the whole group wait for a locked row. By the primary key, because a
    // shared lock on an entry of another index does not lock the row. One statement: each wakes this process once more.
    const rows = select<{ kind: 'user' | 'product'; is_free: number; id: number; price: string | null }>(
      `(SELECT 'user' AS kind, 0 AS is_free, id, NULL AS price FROM users WHERE id IN (?))
        UNION ALL (SELECT 'product', 0, id, NULL FROM products WHERE id IN (?))
        UNION ALL (SELECT 'user', 1, id, NULL FROM users FORCE INDEX (PRIMARY) WHERE id IN (?) ${ifFree})
        UNION ALL (SELECT 'product', 1, id, price FROM products FORCE INDEX (PRIMARY) WHERE id IN (?) ${ifFree})`,
      [userIds, productIds, userIds, productIds],
    );
    return mapQuery(rows, (found) => {
      const ids = (kind: 'user' | 'product') => found.filter((row) => row.kind === kind).map(({ id }) => id);
      const free = found.filter((row) => row.is_free === 1);
      return {
        users: new Set(ids('user')),
        products: new Set(ids('product')),
        freeUsers: new Set(free.filter(({ kind }) => kind === 'user').map(({ id }) => id)),
        prices: new Map(
          free.flatMap(({ id, price }) => (price === null ? [] : [[id, minorFromDecimal(price)]])),
        ),
      };
    });
  },

  decide(catalogue, accepted, { userId, items, maxOrderTotal }, now): Decision<OrderContent> {
    if (!catalogue.users.has(userId)) return new Problem('unknown-user', `There is no user ${userId}.`);
    const unknown = items.filter(({ productId }) => !catalogue.products.has(productId));
    if (unknown.length > 0) return unknownProducts(items, catalogue);
    if (!catalogue.freeUsers.has(userId)) return 'locked';
    const lines = items.flatMap(({ productId, quantity }): OrderLine[] => {
      const unitPrice = catalogue.prices.get(productId);
      return unitPrice === undefined ? [] : [{ productId, quantity, unitPrice }];
    });
    if (lines.length < items.length) return 'locked';
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
