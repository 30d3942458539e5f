import { Problem } from '../../domain/problems';
import type { Database } from '../../mysql/pool';
import { appendAndCommit, findCommands, type Appended } from '../../mysql/log';
import { identified, type CommandEvents, type SharedCommand } from './command';
import { commandIds, hexOf, problemOr, receiptOf, type Receipt } from './receipts';

/**
 * Carries out commands in one transaction.
 * @returns a decision for each, in their order, and what was appended to the log, if anything was.
 * @throws CommitOutcomeUnknown, and whatever keeps the transaction as a whole from being carried out.
 */
export async function carryOutTogether(
  database: Database,
  batch: SharedCommand<unknown>[],
): Promise<{ decisions: (Receipt | Problem)[]; appended: Appended | undefined }> {
  const outcome = await database.session(async (session) => {
    const decided = new Map<SharedCommand<unknown>, Receipt | CommandEvents | Problem>();
    const keyed = batch.filter(({ identity }) => identity.requestHash !== null);
    const earlier = await findCommands(session, commandIds(keyed));
    for (const command of keyed) {
      const receipt = problemOr(() => receiptOf(earlier.get(hexOf(command.identity)), command.identity));
      if (receipt !== undefined) decided.set(command, receipt);
    }
    const fresh = batch.filter((command) => !decided.has(command));
    for (const kind of new Set(fresh.map((command) => command.kind))) {
      const same = fresh.filter((command) => command.kind === kind);
      const sameDecided = await kind.write(session, same);
      for (const [index, command] of same.entries()) {
        const decision = sameDecided[index];
        if (decision === undefined) throw new Error('a command without a decision');
        decided.set(command, decision);
      }
    }
    // In the order in which they came.
    const events = batch.flatMap((command) => {
      const decision = decided.get(command);
      return Array.isArray(decision) ? identified(command, decision) : [];
    });
    return {
      decided,
      appended: events.length === 0 ? undefined : await appendAndCommit(session, events),
    };
  });
  const logged = new Map(outcome.appended?.events.map((event) => [event.commandId, event]));
  const decisions = batch.map((command): Receipt | Problem => {
    const decision = outcome.decided.get(command);
    if (decision === undefined) throw new Error('a command without a decision');
    if (!Array.isArray(decision)) return decision;
    const own = logged.get(hexOf(command.identity));
    // Committed: an error here must not have it carried out again.
    if (own === undefined) return new Problem('internal-error', 'The command has no event of its own.');
    return { logged: own, replayed: false };
  });
  return { decisions, appended: outcome.appended };
}
