import { z } from 'zod';
import { nextCursor } from '../domain/answers';
import type { OrderId, UserId } from '../domain/ids';
import { blockOf } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading, ReadingScript, type Absent } from '../read-model/reading-script';
import { order, ORDER_FIELDS, orderAnswer } from './get-order';

export const orderPage = z.object({ orders: z.array(order), next_cursor: nextCursor });

export interface ListOrdersQuery {
  userId?: UserId | undefined;
  limit: number;
  /** Only orders with a lower id than this. */
  below?: OrderId | undefined;
}

const script = new ReadingScript<[string[][], string | Absent]>(__dirname, 'list-orders');

/** A page of all orders or of one user's, highest id first. */
export async function listOrders(
  reader: Reader,
  query: ListOrdersQuery,
  options: ReadOptions,
): Promise<Positioned<z.output<typeof orderPage>>> {
  const { userId, limit } = query;
  const below = query.below ?? Number.MAX_SAFE_INTEGER;
  return reader.read(`orders ${userId} ${limit} ${below}`, options, async (keys) => {
    const [ids, blocks] =
      userId === undefined ? [keys.orderBlocks, keys.orderBlock('')] : [keys.userOrders(userId), ''];
    const args = [limit, below, keys.order(''), blocks, blockOf(below), ...ORDER_FIELDS];
    return mapReading(await script.run(reader.redis, keys, [ids], args), ([rows, next]) => ({
      orders: rows.map(orderAnswer),
      next_cursor: next || null,
    }));
  });
}
