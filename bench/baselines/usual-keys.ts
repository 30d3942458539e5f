import type { ChainableCommander } from 'ioredis';

/** Ids in a block of the list of orders, as Tally keeps it. */
const BLOCK_SIZE = 512;

export interface Sale {
  orderId: number;
  userId: number;
  /** In cents. */
  total: number;
  createdAt: string;
  lines: { productId: number; quantity: number; priceMinor: number }[];
}

export function orderHash(sale: Sale): Record<string, string> {
  return {
    id: String(sale.orderId),
    user_id: String(sale.userId),
    total_amount: (sale.total / 100).toFixed(2),
    items_count: String(sale.lines.length),
    items: sale.lines
      .map(({ productId, quantity }) => `product_id:${productId},quantity:${quantity}`)
      .join(';'),
    created_at: sale.createdAt,
  };
}

/** Every key that Tally keeps of an order. A ranking's member that comes to zero stays, as it usually does. */
export function addSale(pipeline: ChainableCommander, sale: Sale, sign: 1 | -1): void {
  const { orderId, userId, lines, createdAt } = sale;
  const block = Math.floor(orderId / BLOCK_SIZE);
  if (sign === 1) {
    pipeline.hset(`order:${orderId}`, orderHash(sale));
    pipeline.sadd(`orders:${block}`, orderId);
    pipeline.zadd('orders', block, String(block));
    pipeline.zadd(`user:${userId}:orders`, orderId, String(orderId));
  } else {
    pipeline.del(`order:${orderId}`);
    pipeline.srem(`orders:${block}`, orderId);
    pipeline.zrem(`user:${userId}:orders`, String(orderId));
  }
  const total = sign * sale.total;
  pipeline.zincrby('users:spent', total, String(userId));
  const periods = ['', `day:${createdAt.slice(0, 10)}:`, `month:${createdAt.slice(0, 7)}:`];
  let units = 0;
  for (const { productId, quantity, priceMinor } of lines) {
    units += sign * quantity;
    pipeline.incrby(`product:${productId}:sold`, sign * quantity);
    for (const period of periods) {
      pipeline.zincrby(`${period}products:sold`, sign * quantity, String(productId));
      pipeline.zincrby(`${period}products:revenue`, sign * quantity * priceMinor, String(productId));
    }
  }
  for (const period of periods) {
    pipeline.hincrby(`${period}totals`, 'orders', sign);
    pipeline.hincrby(`${period}totals`, 'units', units);
    pipeline.hincrby(`${period}totals`, 'revenue', total);
  }
}
