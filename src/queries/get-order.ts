import { Problem } from '../errors';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { readTogether } from '../read-model/scripts';
import { ORDER_FIELDS, orderView, type OrderView } from './orders';

/**
 * One order.
 * @throws Problem `order-not-found`, and those of the reader.
 */
export async function getOrder(
  reader: Reader,
  orderId: number,
  options: ReadOptions,
): Promise<Positioned<OrderView>> {
  const { position, value } = await reader.read(options, async (keys) => {
    const { applied, replies } = await readTogether(reader.redis, keys, [
      ['HMGET', keys.order(orderId), ...ORDER_FIELDS],
    ]);
    return { applied, value: replies[0] as (string | null)[] };
  });
  const row = value.filter((field) => field !== null);
  if (row.length < ORDER_FIELDS.length) {
    throw new Problem('order-not-found', `There is no order ${orderId} at position ${position}.`, {
      members: { position },
    });
  }
  return { position, value: orderView(row) };
}
