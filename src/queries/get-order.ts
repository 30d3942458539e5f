import { Problem } from '../domain/problems';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading';
import { readTogether, type Absent } from '../read-model/scripts';
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
  const { position, value } = await reader.read(`order ${orderId}`, options, async (keys) => {
    const reading = await readTogether(reader.redis, keys, [['HMGET', keys.order(orderId), ...ORDER_FIELDS]]);
    return mapReading(reading, ([fields]) => {
      const row = (fields as (string | Absent)[]).filter((field) => field !== false);
      return row.length < ORDER_FIELDS.length ? undefined : orderView(row);
    });
  });
  if (value === undefined) {
    throw new Problem('order-not-found', `There is no order ${orderId} at position ${position}.`, {
      members: { position },
    });
  }
  return { position, value };
}
