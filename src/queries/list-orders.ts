import { blockOf } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
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
  const below = query.below ?? Number.MAX_SAFE_INTEGER;
  return reader.read(options, async (keys) => {
    const ofUser = query.userId === undefined ? undefined : keys.userOrders(query.userId);
    const [applied, rows, next] = await reader.redis.tallyListOrders(
      keys.applied,
      keys.writes,
      ofUser ?? keys.orderBlocks,
      query.limit,
      below,
      keys.order(''),
      ofUser === undefined ? keys.orderBlock('') : '',
      blockOf(below),
    );
    return { applied, value: { orders: rows.map(orderView), next_cursor: next } };
  });
}
