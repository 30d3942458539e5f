import { Problem } from '../errors';
import type { TallyEvent } from '../events';
import type { Session } from '../mysql/database';
import { latestEvents } from '../mysql/log';
import { deleteOrders, lockOrders, type StoredOrder } from '../mysql/orders';
import type { CommandIdentity } from './identity';
import type { Receipt, Writer } from './writer';

/**
 * Deletes an order.
 * @throws Problem `order-not-found`, and those of the writer.
 */
export async function deleteOrder(
  writer: Writer,
  orderId: number,
  identity: CommandIdentity,
  now: string,
): Promise<Receipt> {
  return writer.execute({
    identity,
    now,
    async write(session) {
      const stored = (await lockOrders(session, [orderId])).get(orderId);
      if (stored === undefined) throw new Problem('order-not-found', `There is no order ${orderId}.`);
      const events = await eventsOfDeletion(session, stored);
      await deleteOrders(session, [orderId]);
      return events;
    },
  });
}

/**
 * `OrderDeleted` takes away exactly what the log added, which is not what the row says where another program changed it.
 * A row that was never logged is adopted on the way, so that the log tells the whole story.
 */
async function eventsOfDeletion(
  session: Session,
  { order, asLogged }: StoredOrder,
): Promise<[...TallyEvent[], TallyEvent]> {
  if (asLogged) return [{ type: 'OrderDeleted', order }];
  const latest = (await latestEvents(session, 'order', [order.orderId])).get(order.orderId)?.event;
  if (latest?.type === 'OrderCreated') return [{ type: 'OrderDeleted', order: latest.order }];
  return [
    { type: 'OrderCreated', order },
    { type: 'OrderDeleted', order },
  ];
}
