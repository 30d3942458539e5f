import { lineRevenue, type Order, type TallyEvent } from '../domain/events';
import { formatMinor } from '../domain/money';
import { blockOf, dayOf, monthOf, rankingMember, type Keys } from '../read-model/keys';
import type { Operation } from '../read-model/operations';

/**
 * The projection: what an event does to the read model. Pure, and the only place that knows; inline apply, catch-up,
 * rebuild, verify and repair all run it.
 */
export function project(keys: Keys, event: TallyEvent): Operation[] {
  switch (event.type) {
    case 'OrderCreated':
      return [...orderStored(keys, event.order), ...sales(keys, event.order, 1n)];
    case 'OrderDeleted':
      return [...orderForgotten(keys, event.order), ...sales(keys, event.order, -1n)];
    case 'ProductAdded':
      return [
        {
          kind: 'set-hash',
          key: keys.product(event.productId),
          fields: { name: event.name, sku: event.sku },
        },
      ];
    case 'ProductRemoved':
      return [{ kind: 'delete', key: keys.product(event.productId) }];
    case 'UserRegistered':
      return [{ kind: 'set-hash', key: keys.user(event.userId), fields: { name: event.name } }];
    case 'UserRemoved':
      return [{ kind: 'delete', key: keys.user(event.userId) }];
  }
}

/** The fields of an order's hash. */
export function orderHash(order: Order): Record<string, string> {
  return {
    id: String(order.orderId),
    user_id: String(order.userId),
    total_amount: formatMinor(order.total),
    items_count: String(order.lines.length),
    items: order.lines.map((line) => `product_id:${line.productId},quantity:${line.quantity}`).join(';'),
    created_at: order.createdAt,
  };
}

function orderStored(keys: Keys, order: Order): Operation[] {
  const block = blockOf(order.orderId);
  return [
    { kind: 'set-hash', key: keys.order(order.orderId), fields: orderHash(order) },
    { kind: 'add-to-block', key: keys.orderBlock(block), id: order.orderId, index: keys.orderBlocks, block },
    { kind: 'add-id', key: keys.userOrders(order.userId), id: order.orderId },
  ];
}

function orderForgotten(keys: Keys, order: Order): Operation[] {
  const block = blockOf(order.orderId);
  return [
    { kind: 'delete', key: keys.order(order.orderId) },
    {
      kind: 'remove-from-block',
      key: keys.orderBlock(block),
      id: order.orderId,
      index: keys.orderBlocks,
      block,
    },
    { kind: 'remove-id', key: keys.userOrders(order.userId), id: order.orderId },
  ];
}

/** What an order adds to the counters, times `sign`. */
function sales(keys: Keys, order: Order, sign: 1n | -1n): Operation[] {
  const operations: Operation[] = [
    { kind: 'rank', key: keys.usersSpent, member: rankingMember(order.userId), by: sign * order.total },
  ];
  const periods = [undefined, dayOf(order.createdAt), monthOf(order.createdAt)];
  for (const line of order.lines) {
    const member = rankingMember(line.productId);
    const units = sign * BigInt(line.quantity);
    const revenue = sign * lineRevenue(line);
    operations.push({ kind: 'count', key: keys.productSold(line.productId), by: units });
    for (const period of periods) {
      operations.push(
        { kind: 'rank', key: keys.productRanking('sold', period), member, by: units },
        { kind: 'rank', key: keys.productRanking('revenue', period), member, by: revenue },
      );
    }
  }
  const units = sign * order.lines.reduce((sum, line) => sum + BigInt(line.quantity), 0n);
  for (const period of periods) {
    const key = keys.totals(period);
    operations.push(
      { kind: 'count-field', key, field: 'orders', by: sign },
      { kind: 'count-field', key, field: 'units', by: units },
      { kind: 'count-field', key, field: 'revenue', by: sign * order.total },
    );
  }
  return operations;
}
