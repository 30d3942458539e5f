import type { EventType, LoggedEvent } from '../../domain/events';
import { Problem } from '../../domain/problems';
import type { FoundEvent } from '../../mysql/append';
import type { CommandIdentity } from './identity';

export interface Receipt<T extends EventType = EventType> {
  /** The command's own event. */
  logged: LoggedEvent<T>;
  /** The command had been carried out before, and this is what it did then. */
  replayed: boolean;
}

/** What an earlier attempt or an earlier request with this identity left in the log. */
export function receiptOf({ logged, requestHash }: FoundEvent, identity: CommandIdentity): Receipt | Problem {
  // Without a key nobody can have asked before: then the earlier attempt was this request's own.
  if (identity.requestHash === null) return { logged, replayed: false };
  if (requestHash?.equals(identity.requestHash) === true) return { logged, replayed: true };
  return new Problem(
    'idempotency-key-reused',
    'This Idempotency-Key belongs to an earlier request with another content.',
  );
}

/** Whether the receipt is of an event of one of these types. */
export function isReceiptOf<T extends EventType>(
  receipt: Receipt,
  types: readonly T[],
): receipt is Receipt & Receipt<T> {
  return types.some((type) => receipt.logged.event.type === type);
}
