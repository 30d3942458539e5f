import { Problem } from '../errors';
import { lineRevenue, type OrderLine } from '../events';
import { formatMinor, MAX_ORDER_TOTAL, minorFromDecimal, type Minor } from '../money';
import type { Session } from '../mysql/database';
import { insertOrder } from '../mysql/orders';
import type { CommandIdentity } from './identity';
import type { Receipt, Writer } from './writer';

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
  return writer.execute({
    identity,
    now,
    async write(session) {
      await requireUser(session, input.userId);
      const prices = await readPrices(session, [...new Set(input.items.map((item) => item.productId))]);
      const lines = price(input.items, prices);
      const total = totalOf(lines);
      const order = await insertOrder(session, { userId: input.userId, total, createdAt: now, lines });
      return [{ type: 'OrderCreated', order }];
    },
  });
}

async function requireUser(session: Session, userId: number): Promise<void> {
  const [user] = await session.rows('SELECT id FROM users WHERE id = ?', [userId]);
  if (user === undefined) throw new Problem('unknown-user', `There is no user ${userId}.`);
}

async function readPrices(session: Session, productIds: number[]): Promise<Map<number, Minor>> {
  const rows = await session.rows<{ id: number; price: string }>(
    'SELECT id, price FROM products WHERE id IN (?)',
    [productIds],
  );
  return new Map(rows.map((row) => [row.id, minorFromDecimal(row.price)]));
}

/** Pure: the order's lines at these prices. */
function price(items: CreateOrder['items'], prices: Map<number, Minor>): OrderLine[] {
  const unknown = [...new Set(items.map((item) => item.productId))].filter((id) => !prices.has(id));
  if (unknown.length > 0) {
    throw new Problem('unknown-product', `There is no product ${unknown.join(', ')}.`, {
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

function totalOf(lines: OrderLine[]): Minor {
  const total = lines.reduce((sum, line) => sum + lineRevenue(line), 0n);
  if (total > MAX_ORDER_TOTAL) {
    throw new Problem('order-total-too-large', `The order would cost ${formatMinor(total)}.`);
  }
  return total;
}
