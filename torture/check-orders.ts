import { isDeepStrictEqual } from 'node:util';
import { describe } from './api';
import { euros, MARKER_PRODUCT, PRICES_CENTS } from './catalogue';
import { MAX_TOLD } from './check';
import { orderIdOf, type Wish } from './clients';
import type { LogEvent, Truth } from './truth';

/** Every order exists as often as its client was told, and no others do. */
export function checkOrders({ events, shop }: Truth, wishes: Wish[]): string[] {
  const created = new Map<number, LogEvent[]>();
  const deleted = new Map<number, LogEvent[]>();
  for (const event of events) {
    if (event.type === 'OrderDeleted') push(deleted, event.subjectId, event);
    if (event.type !== 'OrderCreated') continue;
    const marker = event.order?.lines.find(({ productId }) => productId === MARKER_PRODUCT);
    if (marker !== undefined) push(created, marker.quantity, event);
  }
  const faults: string[] = [];
  for (const wish of wishes) {
    const events = created.get(wish.marker) ?? [];
    created.delete(wish.marker);
    faults.push(...checkCreation(wish, events));
    const id = orderIdOf(wish) ?? events[0]?.subjectId;
    if (id !== undefined) faults.push(...checkDeletion(wish, shop.orders.has(id), deleted.get(id) ?? []));
  }
  for (const [marker, [event]] of created) {
    faults.push(`nobody asked for the order with marker ${marker}: ${JSON.stringify(event)}`);
  }
  return faults.slice(0, MAX_TOLD);
}

function checkCreation(wish: Wish, events: LogEvent[]): string[] {
  const told = () => `order with marker ${wish.marker}: ${wish.attempts.map(describe).join(' then ')}`;
  if (events.length > 1)
    return [`doubled, at positions ${events.map((e) => e.position).join(', ')}: ${told()}`];
  const [event] = events;
  const acknowledged = wish.attempts.filter(({ outcome }) => outcome === 'ok');
  if (event === undefined)
    return acknowledged.length > 0 ? [`lost: acknowledged, and not in the log: ${told()}`] : [];
  if (wish.attempts.every(({ outcome }) => outcome === 'refused')) {
    return [`refused, but at position ${event.position} of the log: ${told()}`];
  }
  const lines = wish.items.map(({ product_id: productId, quantity }) => ({
    productId,
    quantity,
    unitCents: PRICES_CENTS[productId - 1] ?? NaN,
  }));
  const { order, subjectId, position } = event;
  if (order?.userId !== wish.userId || !isDeepStrictEqual(order.lines, lines)) {
    return [`logged as something else than ${JSON.stringify(lines)}: ${JSON.stringify(event)}: ${told()}`];
  }
  const total = euros(lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0));
  for (const answer of acknowledged) {
    const body = answer.body as { order_id: number; user_id: number; total_amount: string };
    const isSame = body.order_id === subjectId && body.user_id === wish.userId && body.total_amount === total;
    if (!isSame || answer.position !== position) {
      return [
        `acknowledged as something else than ${JSON.stringify(event)}, which costs ${total}: ${told()}`,
      ];
    }
  }
  return [];
}

function checkDeletion(wish: Wish, exists: boolean, events: LogEvent[]): string[] {
  const { deletions } = wish;
  const told = () => `order ${orderIdOf(wish)}: ${deletions.map(describe).join(' then ')}`;
  if (events.length > 1) return [`deleted twice: ${told()}`];
  const [event] = events;
  const acknowledged = deletions.find(({ outcome }) => outcome === 'ok');
  if (acknowledged !== undefined && (event === undefined || exists))
    return [`still there after its deletion: ${told()}`];
  if (acknowledged !== undefined && acknowledged.position !== event?.position) {
    return [`deleted at position ${event?.position}, which is not what was answered: ${told()}`];
  }
  const denied = deletions.find(({ status }) => status === 404);
  if (denied !== undefined)
    return [`a deletion of an order that nobody else deletes was answered 404: ${told()}`];
  const possible = deletions.some(({ outcome }) => outcome !== 'refused');
  if (!possible && (event !== undefined || !exists))
    return [`gone, though no deletion was carried out: ${told()}`];
  return [];
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  lists.set(key, [...(lists.get(key) ?? []), value]);
}
