import { Problem } from '../domain/problems';
import { lineRevenue, type Order, type OrderLine } from '../domain/events';
import { formatMinor, MAX_ORDER_TOTAL, minorFromDecimal, type Minor } from '../domain/money';
import type { Session } from '../mysql/pool';
import { insertNewOrders } from '../mysql/tables/orders';
import type { CommandIdentity } from './writer/identity';
import type { CommandKind } from './writer/command';
import type { Receipt } from './writer/receipts';
import type { Writer } from './writer/writer';

export interface CreateOrder {
  userId: number;
  items: { productId: number; quantity: number }[];
}

/**
 * Creates an order at the catalogue's prices of this moment.
 * @throws Problem `unknown-user`, `unknown-product`, `order-total-too-large`, and those of the writer.
 */
export async function createOrder(
  writer: Writer,
  input: CreateOrder,
  identity: CommandIdentity,
  now: string,
): Promise<Receipt> {
  return writer.executeTogether({ identity, now, kind: CREATE_ORDERS, input });
}

/** Creations that share a transaction. */
const CREATE_ORDERS: CommandKind<CreateOrder> = {
  async write(session, commands) {
    const { users, prices } = await readCatalogue(session, commands);
    const decisions = commands.map(({ input, now }) => decide(input, now, users, prices));
    const accepted = decisions.filter(
      (decision): decision is Omit<Order, 'orderId'> => !(decision instanceof Problem),
    );
    const inserted = await insertNewOrders(session, accepted);
    const ids = new Map(accepted.map((order, index) => [order, inserted[index]]));
    return decisions.map((decision) => {
      if (decision instanceof Problem) return decision;
      const order = ids.get(decision);
      if (order === undefined) throw new Error('an order was not inserted');
      return [{ type: 'OrderCreated', order }];
    });
  },
};

/** Pure: the order at these prices, or why there is none. */
function decide(
  { userId, items }: CreateOrder,
  now: string,
  users: Set<number>,
  prices: Map<number, Minor>,
): Omit<Order, 'orderId'> | Problem {
  if (!users.has(userId)) return new Problem('unknown-user', `There is no user ${userId}.`);
  const lines = price(items, prices);
  if (lines instanceof Problem) return lines;
  const total = lines.reduce((sum, line) => sum + lineRevenue(line), 0n);
  if (total > MAX_ORDER_TOTAL) {
    return new Problem('order-total-too-large', `The order would cost ${formatMinor(total)}.`);
  }
  return { userId, total, createdAt: now, lines };
}

/** The users and the prices of the products that these orders are about, as far as there are such. */
async function readCatalogue(
  session: Session,
  commands: { input: CreateOrder }[],
): Promise<{ users: Set<number>; prices: Map<number, Minor> }> {
  const userIds = new Set(commands.map(({ input }) => input.userId));
  const productIds = new Set(commands.flatMap(({ input }) => input.items.map(({ productId }) => productId)));
  // One statement for both: each that MySQL answers wakes this process once more.
  const rows = await session.rows<{ id: number; price: string | null }>(
    `SELECT id, NULL AS price FROM users WHERE id IN (?)
      UNION ALL
     SELECT id, price FROM products WHERE id IN (?)`,
    [[...userIds], [...productIds]],
  );
  const users = new Set<number>();
  const prices = new Map<number, Minor>();
  for (const { id, price } of rows) {
    if (price === null) users.add(id);
    else prices.set(id, minorFromDecimal(price));
  }
  return { users, prices };
}

/** Pure: the order's lines at these prices, or which products there are not. */
function price(items: CreateOrder['items'], prices: Map<number, Minor>): OrderLine[] | Problem {
  const unknown = [...new Set(items.map((item) => item.productId))].filter((id) => !prices.has(id));
  if (unknown.length > 0) {
    return new Problem('unknown-product', `There is no product ${unknown.join(', ')}.`, {
      errors: items.flatMap(({ productId }, index) =>
        prices.has(productId)
          ? []
          : [{ field: `items.${index}.product_id`, message: `there is no product ${productId}` }],
      ),
    });
  }
  return items.map(({ productId, quantity }) => ({
    productId,
    quantity,
    unitPrice: prices.get(productId) ?? 0n,
  }));
}
