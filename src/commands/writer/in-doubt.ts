import { setTimeout as delay } from 'node:timers/promises';
import type { EventId } from '../../domain/ids';
import { findEventsUnderHeadLock, type FoundEvent } from '../../mysql/append';
import type { Database } from '../../mysql/pool';

const PAUSE_MS = 100;

/**
 * What became of commands whose COMMIT was not answered. A plain look-up proves nothing while the first attempt may still
 * be committing; under the head lock, what is not in the log has not got that far.
 * @returns what is in the log; undefined where MySQL could not be asked within the time.
 */
export async function resolveInDoubt(
  database: Database,
  ids: EventId[],
  timeoutMs: number,
): Promise<Map<EventId, FoundEvent> | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await database.session(
        (session) => session.ask(findEventsUnderHeadLock(ids), { ends: true }),
        Math.max(1, deadline - performance.now()),
      );
    } catch {
      // Whatever the reason: nothing can be done but to ask again.
      if (performance.now() + PAUSE_MS >= deadline) return undefined;
      await delay(PAUSE_MS);
    }
  }
}
