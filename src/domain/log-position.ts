import { eventId, positionOf, type EventId, type Position } from './ids';

/**
 * A moment in history: a position and the identity of the event there. The number alone does not identify history, since
 * after a restore of MySQL the same number may be another event. Every comparison is of both.
 */
export interface LogPosition {
  position: Position;
  /** Of an empty log: the log's own id. */
  eventId: EventId;
}

/** What an answer must contain at least. A bare number is without the promise across a restored MySQL. */
export interface MinPosition {
  position: Position;
  eventId?: EventId | undefined;
}

/** `position:event_id`, as it stands in a checkpoint and in the `Tally-Position` header. */
export function formatLogPosition({ position, eventId }: LogPosition): string {
  return `${position}:${eventId}`;
}

const LOG_POSITION = /^(\d{1,16}):([0-9a-f]{32})$/;

/** The inverse of `formatLogPosition`; undefined for anything else, for example a key that was edited by hand. */
export function parseLogPosition(text: string): LogPosition | undefined {
  const match = LOG_POSITION.exec(text);
  if (match === null) return undefined;
  const position = Number(match[1]);
  if (!Number.isSafeInteger(position)) return undefined;
  return { position: positionOf(position), eventId: eventId(match[2] ?? '') };
}

export function isSameLogPosition(a: LogPosition, b: LogPosition): boolean {
  return a.position === b.position && a.eventId === b.eventId;
}
