import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading';
import { orderRows } from '../read-model/scripts';
import { orderView, type OrderView } from './orders';

export interface OrderPage {
  orders: OrderView[];
  /** Where the next page begins; null on the last one. */
  next_cursor: string | null;
}

export interface ListOrders {
  userId?: number | undefined;
  limit: number;
  /** Only orders with a lower id than this. */
  below?: number | undefined;
}

/** A page of all orders or of one user's, highest id first. */
export async function listOrders(
  reader: Reader,
  query: ListOrders,
  options: ReadOptions,
): Promise<Positioned<OrderPage>> {
  const { userId, limit, below = Number.MAX_SAFE_INTEGER } = query;
  return reader.read(`orders ${userId} ${limit} ${below}`, options, async (keys) =>
    mapReading(await orderRows(reader.redis, keys, { userId, limit, below }), ({ rows, next }) => ({
      orders: rows.map(orderView),
      next_cursor: next,
    })),
  );
}
