import { isDeepStrictEqual } from 'node:util';
import { describe } from './api';
import { MAX_TOLD } from './check';
import type { History, Operation } from './history';
import { Replay } from './replay';
import type { LogEvent, Truth } from './truth';

/** What the clients were told, and what was damaged meanwhile. */
type Told = Pick<History, 'operations' | 'damagedIn'>;

export interface CheckedReads {
  faults: string[];
  checked: number;
  /** Reads that may show a key that was damaged on purpose. */
  excused: number;
}

/** Every read shows exactly the log at the position that it states. */
export function checkReads({ events, head }: Truth, history: Told): CheckedReads {
  const faults: string[] = [];
  let next = 0;
  let checked = 0;
  let excused = 0;
  const replay = new Replay();
  for (const { operation, position } of readsOf(history.operations)) {
    for (
      let event = events[next];
      event !== undefined && event.position <= position;
      event = events[++next]
    ) {
      replay.apply(event);
    }
    const damaged = history.damagedIn(operation.invokedAt, operation.endedAt);
    if (damaged.some(({ keys }) => keys?.some((key) => mayShow(operation.path, key)) ?? true)) {
      excused += 1;
      continue;
    }
    checked += 1;
    faults.push(...identityFault(operation, events, head.logId));
    const expected = replay.answer(operation.path);
    const isSame =
      operation.status === 404 ? expected === undefined : isDeepStrictEqual(operation.body, expected);
    if (!isSame) {
      faults.push(
        `a read is not what the log says at position ${position}: ${JSON.stringify(operation)} instead of ${JSON.stringify(expected)}`,
      );
    }
  }
  return { faults: faults.slice(0, MAX_TOLD), checked, excused };
}

/** The event that a command says is its own is the one that the log has at its position. */
export function checkCommands({ events, head }: Truth, { operations }: Pick<Told, 'operations'>): string[] {
  const faults: string[] = [];
  for (const operation of operations) {
    if (operation.method === 'GET' || operation.outcome !== 'ok') continue;
    const { position } = operation.body as { position: number };
    if (position !== operation.position)
      faults.push(`the body and the header of an answer disagree: ${describe(operation)}`);
    faults.push(...identityFault(operation, events, head.logId));
  }
  return faults.slice(0, MAX_TOLD);
}

/** The reads that have a content, in the order of the positions that they state. */
function readsOf(operations: Operation[]): { operation: Operation; position: number }[] {
  return operations
    .filter(({ method, status }) => method === 'GET' && (status === 200 || status === 404))
    .map((operation) => ({
      operation,
      // An order that does not exist is a problem document: it states the number alone.
      position: operation.position ?? (operation.body as { position: number }).position,
    }))
    .toSorted((a, b) => a.position - b.position);
}

/** An answer states an event that the log does not have at that position. */
function identityFault(operation: Operation, events: LogEvent[], logId: string): string[] {
  const { eventId } = operation;
  const position = operation.position ?? (operation.body as { position: number }).position;
  if (position > events.length) return [`an answer states a position beyond the log: ${describe(operation)}`];
  if (eventId === undefined) return [];
  const logged = position === 0 ? logId : events[position - 1]?.eventId;
  return logged === eventId
    ? []
    : [
        `an answer states another event than ${position}:${logged}, which the log has: ${describe(operation)}`,
      ];
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
