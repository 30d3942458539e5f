import { Problem } from '../../domain/problems';
import type { LoggedEvent } from '../../domain/events';
import type { Session } from '../../mysql/pool';
import { findCommands, type FoundCommand } from '../../mysql/log';
import type { Command } from './command';
import type { CommandIdentity } from './identity';

export interface Receipt {
  /** The command's own event. */
  logged: LoggedEvent;
  /** The command had been carried out before, and this is what it did then. */
  replayed: boolean;
}

/** Without a key nobody can have asked before: then the earlier attempt was this request's own. */
export function replayOf(receipt: Receipt, { identity }: Command): Receipt {
  return identity.requestHash === null ? { ...receipt, replayed: false } : receipt;
}

/** What an earlier command with this identity left in the log, if there is one. */
export async function findReceipt(session: Session, identity: CommandIdentity): Promise<Receipt | undefined> {
  return receiptOf((await findCommands(session, [identity.commandId])).get(hexOf(identity)), identity);
}

/** @throws Problem `idempotency-key-reused` */
export function receiptOf(
  found: FoundCommand | undefined,
  { requestHash }: CommandIdentity,
): Receipt | undefined {
  if (found === undefined) return undefined;
  if (requestHash !== null && !found.requestHash?.equals(requestHash)) {
    throw new Problem(
      'idempotency-key-reused',
      'This Idempotency-Key belongs to an earlier request with another content.',
    );
  }
  return { logged: found.logged, replayed: true };
}

/** What the function returns, or the problem that it throws. */
export function problemOr<T>(work: () => T): T | Problem {
  try {
    return work();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

export function hexOf({ commandId }: CommandIdentity): string {
  return commandId.toString('hex');
}

export function commandIds(commands: Pick<Command, 'identity'>[]): Buffer[] {
  return commands.map(({ identity }) => identity.commandId);
}
