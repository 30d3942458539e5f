import { ERASED_NAME, type TallyEvent } from '../domain/events';
import { formatMinor } from '../domain/money';
import { lineRevenue, unitsOf, type Order } from '../domain/order';
import { blockOf, dayOf, monthOf, rankingMember, type Keys } from '../read-model/keys';
import type { Operation } from '../read-model/operations';

/**
 * The projection: what an event does to the read model. Pure, and the only place that knows; live apply, catch-up, rebuild,
 * verification and repair all run it.
 */
export function project(keys: Keys, event: TallyEvent): Operation[] {
  switch (event.type) {
    case 'OrderCreated':
      return [...orderListed(keys, event.order, true), ...sales(keys, event.order, 1)];
    case 'OrderDeleted':
      return [...orderListed(keys, event.order, false), ...sales(keys, event.order, -1)];
    case 'ProductAdded': {
      const { productId, name, sku } = event;
      return [{ kind: 'hash', key: keys.product(productId), fields: { name, sku } }];
    }
    case 'ProductRemoved':
      return [{ kind: 'hash', key: keys.product(event.productId), fields: null }];
    case 'UserRegistered':
      return [{ kind: 'hash', key: keys.user(event.userId), fields: { name: event.name } }];
    case 'UserErased':
      return [{ kind: 'hash', key: keys.user(event.userId), fields: { name: ERASED_NAME } }];
    case 'UserRemoved':
      return [{ kind: 'hash', key: keys.user(event.userId), fields: null }];
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

/** The order itself, and the lists that it is in, or no longer is. */
function orderListed(keys: Keys, order: Order, listed: boolean): Operation[] {
  const { orderId: id, userId } = order;
  const block = blockOf(id);
  return [
    { kind: 'hash', key: keys.order(id), fields: listed ? orderHash(order) : null },
    { kind: 'block', key: keys.orderBlock(block), id, listed, index: keys.orderBlocks, block },
    { kind: 'list', key: keys.userOrders(userId), id, listed },
  ];
}

/** What an order adds to the counters, times `sign`. */
function sales(keys: Keys, order: Order, sign: 1 | -1): Operation[] {
  const total = sign * Number(order.total);
  const operations: Operation[] = [
    { kind: 'rank', key: keys.usersSpent, member: rankingMember(order.userId), by: total },
  ];
  const periods = [undefined, dayOf(order.createdAt), monthOf(order.createdAt)];
  for (const line of order.lines) {
    const member = rankingMember(line.productId);
    const units = sign * line.quantity;
    const revenue = sign * Number(lineRevenue(line));
    operations.push({ kind: 'count', key: keys.productSold(line.productId), by: units });
    for (const period of periods) {
      operations.push(
        { kind: 'rank', key: keys.productRanking('sold', period), member, by: units },
        { kind: 'rank', key: keys.productRanking('revenue', period), member, by: revenue },
      );
    }
  }
  const units = sign * unitsOf(order.lines);
  for (const period of periods) {
    const key = keys.totals(period);
    operations.push(
      { kind: 'count-field', key, field: 'orders', by: sign },
      { kind: 'count-field', key, field: 'units', by: units },
      { kind: 'count-field', key, field: 'revenue', by: total },
    );
  }
  return operations;
}
