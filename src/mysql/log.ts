import {
  decodeEvent,
  encodePayload,
  ERASED_NAME,
  subjectId,
  type EventType,
  type LoggedEvent,
  type SubjectKind,
} from '../domain/events';
import {
  eventId,
  logId,
  positionOf,
  type EventId,
  type Instant,
  type LogId,
  type Position,
  type UserId,
} from '../domain/ids';
import { isSameLogPosition, type LogPosition } from '../domain/log-position';
import { SUM_BOUND } from '../domain/money';
import { mapQuery, select, type Query, type Session, type Statement } from './session';
import {
  JOINED_PRINCIPAL,
  joinedPrincipal,
  type JoinedPrincipal,
  type PrincipalRow,
} from './tables/principals';
import { fromDatetime } from './time';

export interface Head extends LogPosition {
  logId: LogId;
  /** How many exist by the log. */
  live: Record<SubjectKind, number>;
  /** The greatest of the sums of all orders, as a share of the bound that they stay below. */
  boundShare: number;
  /** When MySQL was asked (`performance.now()`): what was committed since may lie beyond it. */
  askedAt: number;
}

interface HeadRow {
  position: number;
  event_id: string | null;
  log_id: string;
  orders_live: number;
  products_live: number;
  users_live: number;
  units: number;
  revenue_minor: number;
}

/** The newest committed position. In a snapshot: the position that the snapshot stands at. */
export async function readHead(session: Session): Promise<Head> {
  const askedAt = performance.now();
  const [row] = await session.rows<HeadRow>(
    `SELECT position, LOWER(HEX(event_id)) AS event_id, LOWER(HEX(log_id)) AS log_id, orders_live, products_live, users_live,
            units, revenue_minor
       FROM event_head WHERE id = 1`,
  );
  if (row === undefined) throw new Error('the log has no head: run the migrations');
  return {
    position: positionOf(row.position),
    eventId: eventId(row.event_id ?? row.log_id),
    logId: logId(row.log_id),
    live: { order: row.orders_live, product: row.products_live, user: row.users_live },
    boundShare: Math.max(row.orders_live, row.units, row.revenue_minor) / SUM_BOUND,
    askedAt,
  };
}

export interface EventRow {
  position: number;
  event_id: string;
  type: string;
  subject_id: number;
  payload: string;
  occurred_at: string;
}

export const EVENT_COLUMNS =
  'position, LOWER(HEX(event_id)) AS event_id, type, subject_id, payload, occurred_at';

export function loggedEvent(row: EventRow): LoggedEvent {
  const occurredAt = fromDatetime(row.occurred_at);
  return {
    position: positionOf(row.position),
    eventId: eventId(row.event_id),
    event: decodeEvent(row.type, row.subject_id, row.payload, occurredAt),
    occurredAt,
  };
}

/** What stands in the log after a position. `diverged`: the log does not hold that position, it is another history. */
export type Continuation = { kind: 'events'; events: LoggedEvent[] } | { kind: 'diverged' };

/**
 * Reads on from a position, at most `limit` events. The event at the position itself is read too and must be the one that
 * the position names: the identity is checked, not only the number.
 */
export async function readAfter(session: Session, from: LogPosition, limit: number): Promise<Continuation> {
  const rows = await session.rows<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM order_events WHERE position >= ? ORDER BY position LIMIT ?`,
    [from.position, limit + 1],
  );
  if (from.position === 0) {
    const { logId } = await readHead(session);
    if (from.eventId !== eventId(logId)) return { kind: 'diverged' };
  } else {
    const first = rows.shift();
    if (first === undefined || !isSameLogPosition(positionOfRow(first), from)) return { kind: 'diverged' };
  }
  const events = rows.slice(0, limit).map(loggedEvent);
  for (const [index, { position }] of events.entries()) {
    const expected = from.position + index + 1;
    if (position !== expected) {
      throw new Error(`the log has a gap: position ${expected} is missing before ${position}`);
    }
  }
  return { kind: 'events', events };
}

function positionOfRow(row: EventRow): LogPosition {
  return { position: positionOf(row.position), eventId: eventId(row.event_id) };
}

/** Which events stand at these positions of the log, as far as there are such; at 0 the log's own id. */
export async function readEventIds(session: Session, positions: Position[]): Promise<Map<number, EventId>> {
  const rows = await session.rows<{ position: number; event_id: string }>(
    `SELECT position, LOWER(HEX(event_id)) AS event_id FROM order_events WHERE position IN (?)
      UNION ALL SELECT CAST(0 AS UNSIGNED), LOWER(HEX(log_id)) FROM event_head`,
    [positions],
  );
  return new Map(rows.map((row) => [row.position, eventId(row.event_id)]));
}

/** Per kind: its table, the event after which a subject exists, and the one after which it does not; and all about it. */
const SUBJECTS: Record<
  SubjectKind,
  { table: string; added: EventType; removed: EventType; all: EventType[] }
> = {
  order: {
    table: 'orders',
    added: 'OrderCreated',
    removed: 'OrderDeleted',
    all: ['OrderCreated', 'OrderDeleted'],
  },
  product: {
    table: 'products',
    added: 'ProductAdded',
    removed: 'ProductRemoved',
    all: ['ProductAdded', 'ProductRemoved'],
  },
  user: {
    table: 'users',
    added: 'UserRegistered',
    removed: 'UserRemoved',
    all: ['UserRegistered', 'UserRemoved', 'UserErased'],
  },
};

/** The newest event about each of these subjects, by id: what the log last said of them. */
export function latestEventsOf(kind: SubjectKind, ids: number[]): Query<Map<number, LoggedEvent>> {
  if (ids.length === 0) return { statements: [], read: () => new Map() };
  // Joined, because MySQL reads the whole log for `position IN (SELECT MAX(position) …)`.
  const rows = select<EventRow>(
    `SELECT ${EVENT_COLUMNS}
       FROM (SELECT MAX(position) AS position FROM order_events
              WHERE subject_id IN (?) AND type IN (?) GROUP BY subject_id) AS latest
       JOIN order_events USING (position)`,
    [ids, SUBJECTS[kind].all],
  );
  return mapQuery(
    rows,
    (found) => new Map(found.map(loggedEvent).map((logged) => [subjectId(logged.event), logged])),
  );
}

/**
 * Ids of the subjects that the log says exist and that have no row: another program deleted them. Reads the whole log, so
 * ask only where `Head.live` says that some are missing.
 */
export async function subjectsWithoutRow(
  session: Session,
  kind: SubjectKind,
  timeoutMs: number,
): Promise<number[]> {
  const { table, added, removed } = SUBJECTS[kind];
  const missing = select<{ subject_id: number }>(
    `SELECT e.subject_id
       FROM order_events e LEFT JOIN ${table} t ON t.id = e.subject_id
      WHERE e.type IN (?) AND t.id IS NULL
      GROUP BY e.subject_id
     HAVING MAX(IF(e.type = ?, e.position, 0)) > MAX(IF(e.type = ?, e.position, 0))
      ORDER BY e.subject_id`,
    [[added, removed], added, removed],
  );
  return (await session.ask(missing, { timeoutMs })).map((row) => row.subject_id);
}

/** Who asked for an event, as the audit tells it. */
export interface LoggedCommand {
  position: number;
  /** A newer release may have appended an event of another type. */
  type: string;
  subjectId: number;
  occurredAt: Instant;
  actor: PrincipalRow | undefined;
}

interface CommandRow extends JoinedPrincipal {
  position: number;
  type: string;
  subject_id: number;
  occurred_at: string;
}

/** The newest events up to a position, newest first, without what they say. */
export function loggedCommands(upTo: number, limit: number): Query<LoggedCommand[]> {
  const sql = `SELECT e.position, e.type, e.subject_id, e.occurred_at, ${JOINED_PRINCIPAL}
                 FROM order_events e LEFT JOIN principals p ON p.id = e.actor_id
                WHERE e.position <= ? ORDER BY e.position DESC LIMIT ?`;
  return mapQuery(select<CommandRow>(sql, [upTo, limit]), (rows) =>
    rows.map((row) => ({
      position: row.position,
      type: row.type,
      subjectId: row.subject_id,
      occurredAt: fromDatetime(row.occurred_at),
      actor: joinedPrincipal(row),
    })),
  );
}

/**
 * Takes the name of a user out of what the log said before: the one case in which an event is changed. Every read model goes
 * on to the `UserErased` that the same transaction appends. The hash of the request goes too, since it would confirm a guess
 * of name and email. Locks these events alone; it comes before the head, so it delays nobody's append.
 */
export function eraseLoggedUser(id: UserId, now: Instant): Statement {
  return {
    sql: `UPDATE order_events SET payload = ?, request_hash = NULL WHERE subject_id = ? AND type = 'UserRegistered'`,
    parameters: [encodePayload({ type: 'UserRegistered', name: ERASED_NAME }, now), id],
  };
}

/** Gives the log another identity: for the copy of a database that is to live beside the original. */
export async function replaceLogId(session: Session, id: LogId): Promise<void> {
  const parameters = [Buffer.from(id, 'hex')];
  await session.send([{ sql: 'UPDATE event_head SET log_id = ? WHERE id = 1', parameters }]);
}
