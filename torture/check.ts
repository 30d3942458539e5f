/**
 * The independent checker: what a run's clients were told, against what MySQL and Redis hold in the end. It shares no
 * code with `src/`; formats and sums are spelled out again.
 */
import { isDeepStrictEqual } from 'node:util';
import { euros, MARKER_PRODUCT, PRICES_CENTS } from './catalogue';
import { describe, orderIdOf, type Wish } from './clients';
import type { History } from './history';
import { expectedKeys } from './plain-model';
import type { RedisDump } from './redis-dump';
import { Replay } from './replay';
import type { LogEvent, Truth } from './truth';

/** More of a kind tell nothing new. */
const MAX_TOLD = 5;

/** The log has no gap, ends where the head says, and each event can follow those before it. */
export function checkLog({ events, head }: Truth): string[] {
  const faults: string[] = [];
  for (const [index, { position }] of events.entries()) {
    if (position !== index + 1) {
      faults.push(`the log has a gap: event ${index + 1} is missing before ${position}`);
      break;
    }
  }
  const last = events.at(-1);
  if (head.position !== (last?.position ?? 0) || head.tip !== (last?.commandId ?? null)) {
    faults.push(
      `the head says ${head.position}:${head.tip}, the log ends at ${last?.position}:${last?.commandId}`,
    );
  }
  const replay = new Replay();
  for (const event of events) faults.push(...replay.apply(event).slice(0, 1));
  return faults.slice(0, MAX_TOLD);
}

/** Once everything was adopted, the log adds up to the tables. */
export function checkTables({ events, shop }: Truth): string[] {
  const replay = new Replay();
  for (const event of events) replay.apply(event);
  const found = differences('by its tables', expectedKeys(shop), 'by its log', expectedKeys(replay.shop()));
  return found.map((line) => `MySQL disagrees with itself: ${line}`);
}

/** Every order exists as often as its client was told, and no others do. */
export function checkOrders({ events, shop }: Truth, wishes: Wish[]): string[] {
  const created = new Map<number, LogEvent[]>();
  const deleted = new Map<number, LogEvent[]>();
  for (const event of events) {
    if (event.type === 'OrderDeleted') push(deleted, event.payload.order_id, event);
    if (event.type !== 'OrderCreated') continue;
    const marker = event.payload.items.find(({ product_id }) => product_id === MARKER_PRODUCT);
    if (marker !== undefined) push(created, marker.quantity, event);
  }
  const faults: string[] = [];
  for (const wish of wishes) {
    const events = created.get(wish.marker) ?? [];
    created.delete(wish.marker);
    faults.push(...checkCreation(wish, events));
    const id = orderIdOf(wish) ?? events[0]?.payload.order_id;
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
  const total = wish.items.reduce(
    (sum, { product_id, quantity }) => sum + (PRICES_CENTS[product_id - 1] ?? NaN) * quantity,
    0,
  );
  const { payload } = event;
  const sameItems = isDeepStrictEqual(
    payload.items.map(({ product_id, quantity }) => ({ product_id, quantity })),
    wish.items,
  );
  if (!sameItems || payload.user_id !== wish.userId || payload.total_amount !== euros(total)) {
    return [
      `logged as something else: ${JSON.stringify(payload)} instead of a total of ${euros(total)}: ${told()}`,
    ];
  }
  for (const { body, position } of acknowledged) {
    const answer = body as { order_id: number; total_amount: string };
    if (
      answer.order_id !== payload.order_id ||
      position !== event.position ||
      answer.total_amount !== euros(total)
    ) {
      return [`acknowledged as something else than ${JSON.stringify(event)}: ${told()}`];
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

/** Every read shows exactly the log at the position that it states. @returns faults, and how many reads were checked. */
export function checkReads(
  { events }: Truth,
  history: History,
): { faults: string[]; checked: number; excused: number } {
  const reads = history.operations
    .filter(({ method, status }) => method === 'GET' && (status === 200 || status === 404))
    .map((operation) => ({
      operation,
      position: operation.position ?? (operation.body as { position: number }).position,
    }))
    .toSorted((a, b) => a.position - b.position);
  const replay = new Replay();
  const faults: string[] = [];
  let next = 0;
  let excused = 0;
  for (const { operation, position } of reads) {
    for (
      let event = events[next];
      event !== undefined && event.position <= position;
      event = events[++next]
    ) {
      replay.apply(event);
    }
    if (position > events.length)
      faults.push(`a read states a position beyond the log: ${describe(operation)}`);
    const damaged = history.damagedIn(operation.invokedAt, operation.endedAt);
    if (damaged.some(({ key }) => key === undefined || mayShow(operation.path, key))) {
      excused += 1;
      continue;
    }
    const expected = replay.answer(operation.path);
    const same =
      operation.status === 404 ? expected === undefined : isDeepStrictEqual(operation.body, expected);
    if (!same) {
      faults.push(
        `a read is not what the log says at position ${position}: ${JSON.stringify(operation)} instead of ${JSON.stringify(expected)}`,
      );
    }
  }
  return { faults: faults.slice(0, MAX_TOLD), checked: reads.length - excused, excused };
}

/** Whether the answer to a GET can depend on a key of the read model. */
function mayShow(path: string, key: string): boolean {
  const suffix = key.slice(key.indexOf('}:') + 2);
  if (path.startsWith('/orders/reports/summary')) return suffix === 'totals';
  if (path.startsWith('/orders/reports/sales')) return /^(day|month):[\d-]+$/.test(suffix);
  if (path.startsWith('/orders/reports/highest-spenders'))
    return /^(users:spent|user:\d+(:orders)?)$/.test(suffix);
  if (path.startsWith('/orders/reports/best-sellers')) {
    return (
      /^product:\d+$/.test(suffix) ||
      (path.includes('from=') ? /^(day|month):.*:products:/ : /^products:/).test(suffix)
    );
  }
  if (/^\/orders\/\d+$/.test(path)) return suffix === `order:${path.slice('/orders/'.length)}`;
  return /^(orders(:\d+)?|order:\d+|user:\d+:orders)$/.test(suffix);
}

/** Whether the read model is what MySQL says, key by key, and there is nothing else. */
export function checkKeys(truth: Pick<Truth, 'shop' | 'head'>, dump: RedisDump): string[] {
  const { position, tip } = truth.head;
  const faults: string[] = [];
  if (dump.applied !== `${position}:${tip}`)
    faults.push(`applied is ${dump.applied}, the head is ${position}:${tip}`);
  faults.push(...differences('by MySQL', expectedKeys(truth.shop), 'in Redis', dump.live));
  if (dump.orphans.length > 0)
    faults.push(`keys of generations that nobody keeps: ${dump.orphans.slice(0, 3).join(', ')}`);
  if (dump.strangers.length > 0)
    faults.push(`keys that nobody knows: ${dump.strangers.slice(0, 3).join(', ')}`);
  return faults.slice(0, MAX_TOLD);
}

function differences(
  nameA: string,
  a: Record<string, unknown>,
  nameB: string,
  b: Record<string, unknown>,
): string[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys
    .filter((key) => !isDeepStrictEqual(sorted(a[key]), sorted(b[key])))
    .slice(0, MAX_TOLD)
    .map((key) => `${key} is ${show(a[key])} ${nameA} and ${show(b[key])} ${nameB}`);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([x], [y]) => (x < y ? -1 : 1)));
}

function show(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(sorted(value)).slice(0, 400);
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  lists.set(key, [...(lists.get(key) ?? []), value]);
}
