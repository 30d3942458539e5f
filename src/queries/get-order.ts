import { Problem } from '../errors';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { orderView, type OrderView } from './orders';

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
    const [applied, fields] = await reader.atomically((multi) =>
      multi.get(keys.applied).hgetall(keys.order(orderId)),
    );
    return { applied: applied as string | null, value: fields as Record<string, string> };
  });
  const { id, user_id, total_amount, items_count, items, created_at } = value;
  const absent = [id, user_id, total_amount, items_count, items, created_at].includes(undefined);
  if (absent) {
    throw new Problem('order-not-found', `There is no order ${orderId} at position ${position}.`, {
      members: { position },
    });
  }
  return { position, value: orderView(value as unknown as Parameters<typeof orderView>[0]) };
}
