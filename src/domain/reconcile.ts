import { isDeepStrictEqual } from 'node:util';
import { ERASED_NAME, type EventOf, type TallyEvent } from './events';
import { instantAt, type Instant } from './ids';
import { HIGHEST_ORDER_TOTAL } from './money';
import { totalOf, type Order } from './order';

/** What a row of MySQL says, as the event that would create it. */
export type Stated = EventOf<'OrderCreated' | 'ProductAdded' | 'UserRegistered'>;

/** What to append to the log so that it says what the row says; or why the log can never say that. */
export type Reconciliation = { events: TallyEvent[] } | { irreconcilable: string };

/**
 * Reconciles the log with what another program did to an order, a product or a user in MySQL.
 * @param stated what the row says; undefined where there is no row.
 * @param logged the newest event about the same subject; undefined where the log has never heard of it.
 */
export function reconcile(stated: Stated | undefined, logged: TallyEvent | undefined): Reconciliation {
  const current = statedBy(logged);
  if (stated === undefined) return { events: current === undefined ? [] : [removalOf(current)] };
  if (isDeepStrictEqual(stated, current)) return { events: [] };
  if (stated.type !== 'OrderCreated') return { events: [stated] };
  const fault = faultOf(stated.order);
  if (fault !== undefined) return { irreconcilable: fault };
  return { events: current === undefined ? [stated] : [removalOf(current), stated] };
}

/** What the log says exists after this event: nothing where the event removes its subject. */
export function statedBy(logged: TallyEvent | undefined): Stated | undefined {
  switch (logged?.type) {
    case 'OrderCreated':
    case 'ProductAdded':
    case 'UserRegistered':
      return logged;
    case 'UserErased':
      return { type: 'UserRegistered', userId: logged.userId, name: ERASED_NAME };
    case 'OrderDeleted':
    case 'ProductRemoved':
    case 'UserRemoved':
    case undefined:
      return undefined;
  }
}

/** The event that takes away exactly what this one added. */
function removalOf(stated: Stated): TallyEvent {
  switch (stated.type) {
    case 'OrderCreated':
      return { type: 'OrderDeleted', order: stated.order };
    case 'ProductAdded':
      return { type: 'ProductRemoved', productId: stated.productId };
    case 'UserRegistered':
      return { type: 'UserRemoved', userId: stated.userId };
  }
}

/** Whether there is such a time. MySQL may hold 0000-00-00, 2026-11-00 and 2026-02-31. */
function isOnTheCalendar(time: Instant): boolean {
  const ms = Date.parse(time);
  return !Number.isNaN(ms) && instantAt(ms) === time;
}

/** Why no report could state an order exactly; undefined where all is well. */
function faultOf({ lines, total, createdAt }: Order): string | undefined {
  if (!isOnTheCalendar(createdAt)) return 'its time is no time';
  if (lines.some(({ unitPrice }) => unitPrice < 0n)) return 'a line has a negative price';
  if (total !== totalOf(lines)) return 'its total is not the sum of its lines';
  if (total > HIGHEST_ORDER_TOTAL) return 'its total is beyond the highest that an order may have';
  return undefined;
}
