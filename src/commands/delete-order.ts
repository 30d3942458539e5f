import { Problem } from '../domain/problems';
import type { Session } from '../mysql/pool';
import { latestEvents } from '../mysql/log';
import { deleteOrders, lockOrders, type StoredOrder } from '../mysql/tables/orders';
import type { CommandIdentity } from './writer/identity';
import type { CommandEvents, CommandKind } from './writer/command';
import type { Receipt } from './writer/receipts';
import type { Writer } from './writer/writer';

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
  return writer.executeTogether({ identity, now, kind: DELETE_ORDERS, input: orderId });
}

/** Deletions that share a transaction; of two of the same order, the second finds none. */
const DELETE_ORDERS: CommandKind<number> = {
  async write(session, commands) {
    const stored = await lockOrders(
      session,
      commands.map(({ input }) => input),
    );
    const deleted = [...stored.keys()];
    const decisions: (CommandEvents | Problem)[] = [];
    for (const { input: orderId } of commands) {
      const order = stored.get(orderId);
      stored.delete(orderId);
      if (order === undefined)
        decisions.push(new Problem('order-not-found', `There is no order ${orderId}.`));
      else decisions.push(await eventsOfDeletion(session, order));
    }
    if (deleted.length > 0) deleteOrders(session, deleted);
    return decisions;
  },
};

/**
 * `OrderDeleted` takes away exactly what the log added, which is not what the row says where another program changed it.
 * A row that was never logged is adopted on the way, so that the log tells the whole story.
 */
async function eventsOfDeletion(session: Session, { order, asLogged }: StoredOrder): Promise<CommandEvents> {
  if (asLogged) return [{ type: 'OrderDeleted', order }];
  const latest = (await latestEvents(session, 'order', [order.orderId])).get(order.orderId)?.event;
  if (latest?.type === 'OrderCreated') return [{ type: 'OrderDeleted', order: latest.order }];
  return [
    { type: 'OrderCreated', order },
    { type: 'OrderDeleted', order },
  ];
}
