import { withSubject, encodePayload, type EventBody, type LoggedEvent } from '../domain/events';
import {
  eventId,
  logId,
  positionOf,
  type EventId,
  type Instant,
  type LogId,
  type PrincipalId,
} from '../domain/ids';
import type { LogPosition } from '../domain/log-position';
import { unitsOf, totalOf, type OrderContent } from '../domain/order';
import { EVENT_COLUMNS, loggedEvent, type EventRow } from './log';
import { mapQuery, rowsOf, select, type Query, type Statement } from './session';
import { insertedId } from './tables/inserted';
import { toDatetime } from './time';

/** What an event is about: an id, or the place of its row in this transaction's INSERT without ids. */
export type Subject = number | { inserted: number };

/** What is to be said in the log. */
export interface Statable {
  body: EventBody;
  subject: Subject;
  /** The log says already that the subject exists, so it is not counted once more. */
  restates?: boolean | undefined;
}

/** An event on its way into the log. */
export interface NewEvent extends Statable {
  /** Unique in the log. */
  eventId: EventId;
  /** What was asked for, where the command had an Idempotency-Key. */
  requestHash: Buffer | null;
  occurredAt: Instant;
  /** Who asked for it; undefined where nobody had to say so, and for what Tally appends by itself. */
  actor: PrincipalId | undefined;
}

/** What a transaction left in the log: its events, and the position that they follow. */
export interface Appended {
  logId: LogId;
  base: LogPosition;
  events: LoggedEvent[];
}

/** The new head, for the first row: NULL where somebody has taken the head's row away, which ends the transaction. */
const HEAD = 'IF(ROW_COUNT() = 1, LAST_INSERT_ID(), NULL)';

const LOCK_HEAD = `SELECT position, LOWER(HEX(event_id)) AS event_id, LOWER(HEX(log_id)) AS log_id,
         @inserted AS inserted, @@auto_increment_increment AS step
    FROM event_head WHERE id = 1 FOR UPDATE`;

interface HeadRow {
  position: number;
  event_id: string | null;
  log_id: string;
  inserted: number | null;
  step: number;
}

/**
 * Appends events as the last act of a write transaction, and commits it.
 *
 * The positions are taken under the lock of the one row of `event_head`, which is held until commit: whoever sees
 * position p can see every position below it. All statements travel in one packet, so that the lock never waits for this
 * process (docs/decisions/0001). They use the ids that the transaction inserted (tables/inserted.ts), and tell them.
 */
export function append(events: NewEvent[]): Query<Appended> {
  return {
    statements: [{ sql: LOCK_HEAD }, advanceHead(events), insertEvents(events), { sql: 'COMMIT' }],
    read: ([rows]) => {
      const [head] = rowsOf<HeadRow>(rows);
      if (head === undefined) throw new Error('committed without a head');
      return appended(head, events);
    },
  };
}

function advanceHead(events: NewEvent[]): Statement {
  const last = events.at(-1);
  if (last === undefined) throw new Error('a write transaction without an event');
  const { orders, products, users, units, revenue } = changeOf(events);
  return {
    // LAST_INSERT_ID hands the new position on to the next statement.
    sql: `UPDATE event_head
             SET position = LAST_INSERT_ID(position + ?), event_id = ?, orders_live = orders_live + ?,
                 products_live = products_live + ?, users_live = users_live + ?,
                 units = units + ?, revenue_minor = revenue_minor + ?
           WHERE id = 1`,
    parameters: [events.length, bytesOf(last.eventId), orders, products, users, units, revenue],
  };
}

/** Only what may be any text is a parameter: so many are slow. */
function insertEvents(events: NewEvent[]): Statement {
  const rows = events.map(({ body, subject, eventId, actor }, index) => {
    const head = index === 0 ? HEAD : 'LAST_INSERT_ID()';
    const subjectId = typeof subject === 'number' ? subject : insertedId(subject.inserted);
    return `(${head} - ${events.length - 1 - index}, X'${eventId}', ?, '${body.type}', ${subjectId}, ?, ?, ${actor ?? 'NULL'})`;
  });
  return {
    sql: `INSERT INTO order_events (position, event_id, request_hash, type, subject_id, payload, occurred_at, actor_id)
          VALUES ${rows.join(', ')}`,
    parameters: events.flatMap(({ body, requestHash, occurredAt }) => [
      requestHash,
      encodePayload(body, occurredAt),
      toDatetime(occurredAt),
    ]),
  };
}

/** What events do to that which the head counts. */
function changeOf(events: Statable[]) {
  const change = { orders: 0, products: 0, users: 0, units: 0, revenue: 0n };
  const count = ({ lines }: OrderContent, sign: 1 | -1) => {
    change.orders += sign;
    change.units += sign * unitsOf(lines);
    change.revenue += BigInt(sign) * totalOf(lines);
  };
  for (const { body, restates = false } of events) {
    switch (body.type) {
      case 'OrderCreated':
        count(body.order, 1);
        break;
      case 'OrderDeleted':
        count(body.order, -1);
        break;
      case 'ProductAdded':
        change.products += restates ? 0 : 1;
        break;
      case 'ProductRemoved':
        change.products -= 1;
        break;
      case 'UserRegistered':
        change.users += restates ? 0 : 1;
        break;
      case 'UserRemoved':
        change.users -= 1;
        break;
      case 'UserErased':
        break;
    }
  }
  return change;
}

function appended(head: HeadRow, events: NewEvent[]): Appended {
  const idOf = (subject: Subject) =>
    typeof subject === 'number' ? subject : Number(head.inserted) + subject.inserted * head.step;
  return {
    logId: logId(head.log_id),
    base: { position: positionOf(head.position), eventId: eventId(head.event_id ?? head.log_id) },
    events: events.map(({ body, subject, eventId, occurredAt }, index) => ({
      position: positionOf(head.position + index + 1),
      eventId,
      event: withSubject(body, idOf(subject)),
      occurredAt,
    })),
  };
}

/** An event that was found in the log by its id. */
export interface FoundEvent {
  logged: LoggedEvent;
  requestHash: Buffer | null;
}

type FoundRow = EventRow & { request_hash: Buffer | null };

/** Those of the events that are in the log, by their ids. */
export function findEvents(ids: EventId[]): Query<Map<EventId, FoundEvent>> {
  if (ids.length === 0) return { statements: [], read: () => new Map() };
  const rows = select<FoundRow>(
    `SELECT ${EVENT_COLUMNS}, request_hash FROM order_events WHERE event_id IN (?)`,
    [ids.map(bytesOf)],
  );
  return mapQuery(
    rows,
    (found) =>
      new Map(
        found.map((row) => {
          const logged = loggedEvent(row);
          return [logged.eventId, { logged, requestHash: row.request_hash }];
        }),
      ),
  );
}

/**
 * As `findEvents`, under the head lock: every append that held it, or waited for it before us, has ended. A packet that is
 * still on its way to the server, or waits there for a row before it takes the head, can commit later; the unique event
 * id then lets only one attempt do so. One packet, which ends the transaction, so that the lock does not wait for this
 * process.
 */
export function findEventsUnderHeadLock(ids: EventId[]): Query<Map<EventId, FoundEvent>> {
  const found = findEvents(ids);
  return {
    statements: [
      { sql: 'SELECT position FROM event_head WHERE id = 1 FOR UPDATE' },
      ...found.statements,
      { sql: 'ROLLBACK' },
    ],
    read: (results) => found.read(results.slice(1, -1)),
  };
}

function bytesOf(id: EventId): Buffer {
  return Buffer.from(id, 'hex');
}
