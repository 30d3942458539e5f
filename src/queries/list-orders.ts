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
  const { position, value } = await reader.read(options, async (keys) => {
    const ofUser = query.userId === undefined ? undefined : keys.userOrders(query.userId);
    const [applied, rows] = await reader.redis.tallyListOrders(
      keys.applied,
      ofUser ?? keys.orderBlocks,
      query.limit + 1, // one more tells whether there is a next page
      below,
      keys.order(''),
      ofUser === undefined ? keys.orderBlock('') : '',
      blockOf(below),
    );
    return { applied, value: rows };
  });
  const orders = value.slice(0, query.limit).map(toOrder);
  const next = value.length > query.limit ? orders.at(-1)?.order_id : undefined;
  return { position, value: { orders, next_cursor: next === undefined ? null : String(next) } };
}

function toOrder(row: string[]): OrderView {
  const [id = '', user_id = '', total_amount = '', items_count = '', items = '', created_at = ''] = row;
  return orderView({ id, user_id, total_amount, items_count, items, created_at });
}
