import { crc32 } from 'node:zlib';
import type { Instant, OrderId, ProductId, UserId } from './ids';
import type { Minor } from './money';

export interface OrderLine {
  productId: ProductId;
  quantity: number;
  unitPrice: Minor;
}

/** What an order says, without its id, which MySQL hands out. */
export interface OrderContent {
  userId: UserId;
  /** The sum of the lines' revenue. A row of another program may say something else; such a row is not reconciled. */
  total: Minor;
  createdAt: Instant;
  /** In line order. */
  lines: OrderLine[];
}

export interface Order extends OrderContent {
  orderId: OrderId;
}

/** Revenue of one line, in minor units. */
export function lineRevenue(line: Pick<OrderLine, 'quantity' | 'unitPrice'>): Minor {
  return BigInt(line.quantity) * line.unitPrice;
}

/** The total that these lines come to, in minor units. */
export function totalOf(lines: OrderLine[]): Minor {
  return lines.reduce((sum, line) => sum + lineRevenue(line), 0n);
}

export function unitsOf(lines: OrderLine[]): number {
  return lines.reduce((sum, line) => sum + line.quantity, 0);
}

/**
 * A checksum of an order's content, kept in its row: a row that no longer matches was changed by another program.
 * CRC-32 finds every edit of up to four adjacent bytes, and any other with a chance of 1 − 2⁻³².
 */
export function fingerprint(order: OrderContent): number {
  const lines = order.lines.map((line) => `${line.productId}:${line.quantity}:${line.unitPrice}`).join(';');
  return crc32(`${order.userId}|${order.total}|${order.createdAt}|${lines}`);
}
