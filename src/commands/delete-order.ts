import type { LoggedEvent } from '../domain/events';
import type { Instant, OrderId } from '../domain/ids';
import type { Order, OrderContent } from '../domain/order';
import { Problem } from '../domain/problems';
import { reconcile, statedBy } from '../domain/reconcile';
import { latestEventsOf } from '../mysql/log';
import { both, mapQuery } from '../mysql/session';
import { deleteOrders, lockOrders, type LockedOrders } from '../mysql/tables/orders';
import type { CommandKind, Decision, Draft } from './writer/command';
import { correctionId } from './writer/identity';

interface Facts extends LockedOrders {
  /** The newest event about each order. */
  latest: ReadonlyMap<number, LoggedEvent>;
}

/** Deletes an order. Refused with `order-not-found`. */
export const DELETE_ORDER: CommandKind<OrderId, Facts, OrderId, 'OrderDeleted'> = {
  events: ['OrderDeleted'],
  shares: true,

  // The log is read after the rows are locked, so that nobody appends an event about them in between.
  lookUp: (ids) =>
    mapQuery(both(lockOrders(ids), latestEventsOf('order', ids)), ([orders, latest]) => ({
      ...orders,
      latest,
    })),

  decide({ existing, free, latest }, accepted, orderId, now): Decision<OrderId> {
    const stored = free.get(orderId);
    if (accepted.includes(orderId) || (stored === undefined && !existing.has(orderId))) {
      return new Problem('order-not-found', `There is no order ${orderId}.`, { members: { deleted: false } });
    }
    if (stored === undefined) return 'locked';
    return { row: orderId, events: eventsOf(stored.order, latest.get(orderId), now) };
  },

  write: deleteOrders,
};

/**
 * `OrderDeleted` takes away exactly what the log added, which is not what the row says where another program changed it.
 * An order that the log has never heard of is created there on the way, so that the log tells the whole story.
 */
function eventsOf(order: Order, latest: LoggedEvent | undefined, now: Instant): Draft[] {
  const stated = statedBy(latest?.event);
  const deleted = (content: OrderContent): Draft => ({
    body: { type: 'OrderDeleted', order: content },
    subject: order.orderId,
  });
  if (stated?.type === 'OrderCreated') return [deleted(stated.order)];
  const isStatable = 'events' in reconcile({ type: 'OrderCreated', order }, undefined);
  // What no report can state comes and goes now, without its lines.
  const content = isStatable ? order : { ...order, createdAt: now, lines: [], total: 0n };
  const created: Draft = {
    body: { type: 'OrderCreated', order: content },
    subject: order.orderId,
    eventId: correctionId('order', order.orderId, latest?.eventId),
  };
  return [created, deleted(content)];
}
