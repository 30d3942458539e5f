import { createHash } from 'node:crypto';
import { uuidv7obj } from 'uuidv7';

/** Which command this is: a retry of the same command has the same id. */
export interface CommandIdentity {
  /** 16 bytes; unique in the log. */
  commandId: Buffer;
  /** SHA-256 of what was asked for, to tell a replay from a reuse of the key; null where there is no key. */
  requestHash: Buffer | null;
}

/** A command that nobody can retry: it gets an id of its own. */
export function uniqueIdentity(): CommandIdentity {
  return { commandId: Buffer.from(uuidv7obj().bytes), requestHash: null };
}

/**
 * The identity of a command with an Idempotency-Key. The key is the caller's own, so it is hashed together with the
 * caller and the route that it was sent to.
 */
export function keyedIdentity(
  scope: { caller: string; route: string; key: string },
  request: unknown,
): CommandIdentity {
  const id = createHash('sha256')
    .update(JSON.stringify([scope.caller, scope.route, scope.key]))
    .digest();
  return {
    commandId: id.subarray(0, 16),
    requestHash: createHash('sha256').update(JSON.stringify(request)).digest(),
  };
}
