import { createHash } from 'node:crypto';
import { uuidv7obj } from 'uuidv7';
import type { SubjectKind } from '../../domain/events';
import { eventId, type EventId } from '../../domain/ids';

/** Which command this is: a retry of the same command has the same identity. */
export interface CommandIdentity {
  /** The id that the command's event has, or will have. */
  eventId: EventId;
  /** 16 bytes of what was asked for, to tell a replay from a reuse of the key; null where there is no key. */
  requestHash: Buffer | null;
}

/** The first 16 bytes of the SHA-256. */
function hashOf(value: unknown): Buffer {
  return createHash('sha256').update(JSON.stringify(value)).digest().subarray(0, 16);
}

export function uniqueEventId(): EventId {
  return eventId(Buffer.from(uuidv7obj().bytes).toString('hex'));
}

/** A command that nobody can retry: it gets an id of its own. */
export function uniqueIdentity(): CommandIdentity {
  return { eventId: uniqueEventId(), requestHash: null };
}

/**
 * The identity of a command with an Idempotency-Key. The key is the caller's own, so it is hashed together with the
 * caller and the route that it was sent to.
 */
export function keyedIdentity(
  scope: { caller: string; route: string; key: string },
  request: unknown,
): CommandIdentity {
  return {
    eventId: eventId(hashOf([scope.caller, scope.route, scope.key]).toString('hex')),
    requestHash: hashOf(request),
  };
}

/**
 * The id of an event that corrects what the log says of a subject. It names the event that it corrects, so of two processes
 * that see the same state only one can append the correction; the other one fails, and looks again.
 */
export function correctionId(kind: SubjectKind, id: number, latest: EventId | undefined): EventId {
  return eventId(hashOf(['correction', kind, id, latest ?? 'nothing']).toString('hex'));
}
