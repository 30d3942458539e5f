import type { LoggedEvent } from '../../domain/events';
import { isSameLogPosition, type LogPosition } from '../../domain/log-position';
import { readAfter, readHead, type Head } from '../../mysql/log';
import type { Database } from '../../mysql/pool';
import { readCheckpoint } from '../../read-model/checkpoint';
import { applyEvents, diverged, type Applying } from './apply-events';
import { GenerationLost } from './generation-lost';

/** Events read from MySQL at a time. */
const PAGE_EVENTS = 1000;

export interface CatchUpOptions {
  /** Told of every head that is read, before anything is made of it. */
  onHead?: (head: Head) => void;
  /**
   * Told before every page, which may be empty.
   * @param applied how many events of the page before it this call applied.
   * @param oldest of the page.
   */
  onPage?: (at: LogPosition, applied: number, oldest: LoggedEvent | undefined) => void;
}

/**
 * Reads on from the checkpoint of a generation and applies what it reads, until it has reached the head that the log had at
 * the beginning, or the signal ends it.
 * @returns whether nothing was left to read.
 * @throws GenerationLost
 */
export async function catchUp(
  applying: Applying,
  database: Database,
  { onHead, onPage }: CatchUpOptions = {},
): Promise<boolean> {
  const { history, signal } = applying;
  let at = await checkpointOf(applying);
  let applied = 0;
  let target: number | undefined;
  for (;;) {
    const { head, continuation } = await database.session(async (session) => ({
      head: await readHead(session),
      continuation: await readAfter(session, at, PAGE_EVENTS),
    }));
    onHead?.(head);
    if (continuation.kind === 'diverged') {
      // Read again: perhaps the generation was repaired or replaced while we looked.
      const now = await checkpointOf(applying);
      if (isSameLogPosition(now, at)) throw diverged(applying.keys, at);
      at = now;
      continue;
    }
    const { events } = continuation;
    history.extend(at, events);
    onPage?.(at, applied, events[0]);
    target ??= head.position;
    if (events.length === 0) return true;
    if (at.position >= target || signal?.aborted === true) return false;
    const progress = await applyEvents(applying, at, events);
    applied = progress.applied;
    at = progress.kind === 'at' ? progress.at : await checkpointOf(applying);
  }
}

/** @throws GenerationLost where the generation has no checkpoint. */
async function checkpointOf({ redis, keys }: Applying): Promise<LogPosition> {
  const at = await readCheckpoint(redis, keys);
  if (at === undefined) throw new GenerationLost('missing', keys, '', 'no checkpoint, or half a write');
  return at;
}
