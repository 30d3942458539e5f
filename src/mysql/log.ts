import {
  decodeEvent,
  encodePayload,
  ordersDelta,
  subjectId,
  type LoggedEvent,
  type TallyEvent,
  type Tip,
} from '../domain/events';
import { failureOf, type Failure } from './failures';
import type { Session } from './pool';
import { fromDatetime, toDatetime } from './time';

/** An event on its way into the log. */
export interface NewEvent {
  event: TallyEvent;
  /** 16 bytes, unique in the log. */
  commandId: Buffer;
  /** What was asked for, where the command had an Idempotency-Key. */
  requestHash: Buffer | null;
  /** ISO 8601, UTC. */
  occurredAt: string;
}

/** What a transaction left in the log: its events, and the tip that they follow. */
export interface Appended {
  base: Tip;
  events: LoggedEvent[];
}

const BEFORE_COMMIT = new Set<Failure>(['duplicate', 'lock-conflict', 'missing-reference', 'referenced']);

/** The connection was lost after COMMIT may have been sent. Only `findCommandsUnderHeadLock` can tell. */
export class CommitOutcomeUnknown extends Error {
  override readonly name = 'CommitOutcomeUnknown';
}

/** The new head, for the first row: NULL where somebody has taken the head's row away, which ends the transaction. */
const HEAD = '(SELECT position FROM event_head WHERE id = 1)';

/**
 * Appends events as the last act of a write transaction, and commits it.
 *
 * The positions are taken under the lock of the one row of `event_head`, which is held until commit: whoever sees
 * position p can see every position below it. All statements travel in one packet, so that the lock never waits for this
 * process (docs/decisions/0001).
 * @throws CommitOutcomeUnknown where the answer was lost.
 */
export async function appendAndCommit(session: Session, events: NewEvent[]): Promise<Appended> {
  const last = events.at(-1);
  if (last === undefined) throw new Error('a write transaction without an event');
  const count = events.length;
  const rows = events.map(({ event, commandId, requestHash, occurredAt }, index) => [
    count - 1 - index,
    commandId,
    requestHash,
    event.type,
    subjectId(event),
    encodePayload(event),
    toDatetime(occurredAt),
  ]);
  const ordersLiveDelta = events.reduce((sum, { event }) => sum + ordersDelta(event), 0);
  let head: { position: number; tip: string } | undefined;
  try {
    const [heads] = await session.ending([
      {
        sql: 'SELECT position, LOWER(HEX(COALESCE(tip, log_id))) AS tip FROM event_head WHERE id = 1 FOR UPDATE',
      },
      {
        // LAST_INSERT_ID hands the new position on to the next statement.
        sql: `UPDATE event_head
                 SET position = LAST_INSERT_ID(position + ?), tip = ?,
                     orders_live = GREATEST(CAST(orders_live AS SIGNED) + ?, 0)
               WHERE id = 1`,
        parameters: [count, last.commandId, ordersLiveDelta],
      },
      {
        sql: `INSERT INTO order_events (position, command_id, request_hash, type, subject_id, payload, occurred_at)
              VALUES ${rows.map((_, index) => `(${index === 0 ? HEAD : 'LAST_INSERT_ID()'} - ?, ?, ?, ?, ?, ?, ?)`).join(', ')}`,
        parameters: rows.flat(),
      },
      { sql: 'COMMIT' },
    ]);
    [head] = heads as { position: number; tip: string }[];
  } catch (error) {
    // These come out of a statement before the COMMIT, or of one that was deferred to this packet.
    const failure = failureOf(error);
    if (failure !== undefined && BEFORE_COMMIT.has(failure)) throw error;
    // Anything else, even an error that the server sent, may have come out of the COMMIT itself.
    throw new CommitOutcomeUnknown('the answer to a COMMIT was lost', { cause: error });
  }
  if (head === undefined) throw new Error('committed without a head');
  const base = { position: head.position, commandId: head.tip };
  return {
    base,
    events: events.map(({ event, commandId, occurredAt }, index) => ({
      position: base.position + index + 1,
      commandId: commandId.toString('hex'),
      event,
      occurredAt,
    })),
  };
}

interface EventRow {
  position: number;
  command_id: string;
  type: string;
  payload: string;
  occurred_at: string;
}

const EVENT_COLUMNS = 'position, LOWER(HEX(command_id)) AS command_id, type, payload, occurred_at';

function loggedEvent(row: EventRow): LoggedEvent {
  return {
    position: row.position,
    commandId: row.command_id,
    event: decodeEvent(row.type, row.payload),
    occurredAt: fromDatetime(row.occurred_at),
  };
}

export interface Head extends Tip {
  /** Names the log; the tip of an empty one. */
  logId: string;
  /** How many orders the log says exist. */
  ordersLive: number;
  /** When MySQL was asked (`performance.now()`): what was committed since may lie beyond it. */
  askedAt: number;
}

/** The newest committed tip. In a snapshot: the position that the snapshot stands at. */
export async function readHead(session: Session): Promise<Head> {
  const askedAt = performance.now();
  const [row] = await session.rows<{ position: number; tip: string; log_id: string; orders_live: number }>(
    `SELECT position, LOWER(HEX(COALESCE(tip, log_id))) AS tip, LOWER(HEX(log_id)) AS log_id, orders_live
       FROM event_head WHERE id = 1`,
  );
  if (row === undefined) throw new Error('the log has no head: run the migrations');
  return {
    position: row.position,
    commandId: row.tip,
    logId: row.log_id,
    ordersLive: row.orders_live,
    askedAt,
  };
}

/** What stands in the log after a tip. `foreign`: the log does not hold that tip, it is another history. */
export type Continuation = { kind: 'events'; events: LoggedEvent[] } | { kind: 'foreign' };

/**
 * Reads on from a tip, at most `limit` events. The event at the tip itself is read too and must be the one that the tip
 * names: the chain is checked, not only the number.
 */
export async function readAfter(session: Session, tip: Tip, limit: number): Promise<Continuation> {
  const rows = await session.rows<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM order_events WHERE position >= ? ORDER BY position LIMIT ?`,
    [tip.position, limit + 1],
  );
  if (tip.position === 0) {
    const { logId } = await readHead(session);
    if (logId !== tip.commandId) return { kind: 'foreign' };
  } else {
    const [first] = rows;
    if (first === undefined || first.position !== tip.position || first.command_id !== tip.commandId) {
      return { kind: 'foreign' };
    }
    rows.shift();
  }
  const events = rows.slice(0, limit).map(loggedEvent);
  for (const [index, { position }] of events.entries()) {
    if (position !== tip.position + index + 1) {
      throw new Error(
        `the log has a gap: position ${tip.position + index + 1} is missing before ${position}`,
      );
    }
  }
  return { kind: 'events', events };
}

/** A command that was carried out before, found again by its id. */
export interface FoundCommand {
  logged: LoggedEvent;
  requestHash: Buffer | null;
}

/** The events of those commands that are in the log, by their id in hexadecimal. */
export async function findCommands(
  session: Session,
  commandIds: Buffer[],
): Promise<Map<string, FoundCommand>> {
  if (commandIds.length === 0) return new Map();
  const rows = await session.rows<CommandRow>(FIND_COMMANDS, [commandIds]);
  return byCommandId(rows);
}

/**
 * As `findCommands`, under the head lock: every append that held it, or waited for it before us, has ended. A packet that is
 * still on its way to the server, or waits there for a row before it takes the head, can commit later; the unique command
 * id then lets only one attempt do so. One packet, so that the lock does
 * not wait for this process.
 */
export async function findCommandsUnderHeadLock(
  session: Session,
  commandIds: Buffer[],
): Promise<Map<string, FoundCommand>> {
  const [, rows] = await session.ending([
    { sql: 'SELECT position FROM event_head WHERE id = 1 FOR UPDATE' },
    { sql: FIND_COMMANDS, parameters: [commandIds] },
    { sql: 'ROLLBACK' },
  ]);
  return byCommandId(rows as CommandRow[]);
}

type CommandRow = EventRow & { request_hash: Buffer | null };

const FIND_COMMANDS = `SELECT ${EVENT_COLUMNS}, request_hash FROM order_events WHERE command_id IN (?)`;

function byCommandId(rows: CommandRow[]): Map<string, FoundCommand> {
  return new Map(
    rows.map((row) => [row.command_id, { logged: loggedEvent(row), requestHash: row.request_hash }]),
  );
}

export type SubjectKind = 'order' | 'product' | 'user';

const TYPES: Record<SubjectKind, TallyEvent['type'][]> = {
  order: ['OrderCreated', 'OrderDeleted'],
  product: ['ProductAdded', 'ProductRemoved'],
  user: ['UserRegistered', 'UserRemoved'],
};

/** The newest event about each of these subjects up to a position, by id: what the log last said of them. */
export async function latestEvents(
  session: Session,
  kind: SubjectKind,
  ids: number[],
  upTo = Number.MAX_SAFE_INTEGER,
): Promise<Map<number, LoggedEvent>> {
  if (ids.length === 0) return new Map();
  const rows = await session.rows<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM order_events
      WHERE position IN (
        SELECT MAX(position) FROM order_events
         WHERE subject_id IN (?) AND type IN (?) AND position <= ? GROUP BY subject_id)`,
    [ids, TYPES[kind], upTo],
  );
  return new Map(rows.map(loggedEvent).map((logged) => [subjectId(logged.event), logged]));
}

/**
 * Orders that the log says exist and that have no row: another program deleted them. Reads the whole log, so ask only
 * where `Head.ordersLive` says that some are missing.
 */
export async function readOrdersWithoutRow(session: Session): Promise<number[]> {
  const rows = await session.rows<{ subject_id: number }>(
    `SELECT e.subject_id
       FROM order_events e LEFT JOIN orders o ON o.id = e.subject_id
      WHERE e.type IN ('OrderCreated', 'OrderDeleted') AND o.id IS NULL
      GROUP BY e.subject_id
     HAVING SUM(e.type = 'OrderCreated') > SUM(e.type = 'OrderDeleted')
      ORDER BY e.subject_id`,
  );
  return rows.map((row) => row.subject_id);
}
