import { z } from 'zod';
import { count, id, money, time } from '../domain/answers';
import type { OrderId } from '../domain/ids';
import { readTogether } from '../read-model/read-together';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading, wholeNumber } from '../read-model/reading-script';
import { found } from './found';

export const order = z.object({
  order_id: id,
  user_id: id,
  total_amount: money,
  items_count: count,
  items: z.array(z.object({ product_id: id, quantity: z.int().min(1) })),
  created_at: time,
});
export type OrderAnswer = z.output<typeof order>;

/** The fields of an order's hash, in the order in which they are read. */
export const ORDER_FIELDS = ['id', 'user_id', 'total_amount', 'items_count', 'items', 'created_at'] as const;

/**
 * One order.
 * @throws Problem `order-not-found`, and those of the reader.
 */
export async function getOrder(
  reader: Reader,
  orderId: OrderId,
  options: ReadOptions,
): Promise<Positioned<OrderAnswer>> {
  const reading = await reader.read(`order ${orderId}`, options, async (keys) => {
    const together = await readTogether(reader.redis, keys, [
      ['HMGET', keys.order(orderId), ...ORDER_FIELDS],
    ]);
    return mapReading(together, ([fields = []]) => {
      const row = fields.filter((field) => field !== false);
      return row.length < ORDER_FIELDS.length ? undefined : orderAnswer(row);
    });
  });
  return found(reading, 'order-not-found', `order ${orderId}`);
}

/** The values of `ORDER_FIELDS` → the order. */
export function orderAnswer(row: string[]): OrderAnswer {
  const [orderId = '', userId = '', total = '', itemsCount = '', items = '', createdAt = ''] = row;
  return {
    order_id: wholeNumber(orderId),
    user_id: wholeNumber(userId),
    total_amount: total,
    items_count: wholeNumber(itemsCount),
    items: parseItems(items),
    created_at: createdAt,
  };
}

/** `product_id:10,quantity:1;product_id:15,quantity:3` → its lines. */
function parseItems(text: string): OrderAnswer['items'] {
  if (text === '') return [];
  return text.split(';').map((line) => {
    const [product = '', quantity = ''] = line.split(',');
    return {
      product_id: wholeNumber(product.slice('product_id:'.length)),
      quantity: wholeNumber(quantity.slice('quantity:'.length)),
    };
  });
}
