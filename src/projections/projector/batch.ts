import { tipOf, type LoggedEvent, type Tip } from '../../domain/events';
import { Changes } from '../../read-model/changes';
import type { Keys } from '../../read-model/keys';
import { project } from '../project';

/** Some 70 orders of two lines; holds Redis for 2 to 3 ms. */
const MAX_OPERATIONS = 2000;
/** Bounds the work of coalescing where many events come to little. */
const MAX_EVENTS = 500;

/** Events that go to Redis in one script. */
export interface Batch {
  expected: Tip;
  next: Tip;
  events: LoggedEvent[];
  changes: Changes;
}

/**
 * As many of `events`, which follow `base` without a gap, as one script should carry; at least one, since an event is
 * never split.
 * @throws Error where the events do not follow each other: then the caller broke the chain.
 */
function nextBatch(keys: Keys, base: Tip, events: LoggedEvent[]): Batch {
  const changes = new Changes();
  let next = base;
  let count = 0;
  for (const logged of events) {
    if (logged.position !== base.position + count + 1) {
      throw new Error(`event ${logged.position} does not follow ${next.position}`);
    }
    const operations = project(keys, logged.event);
    if (count > 0 && (changes.size + operations.length > MAX_OPERATIONS || count >= MAX_EVENTS)) break;
    for (const operation of operations) changes.add(operation);
    next = tipOf(logged);
    count += 1;
  }
  if (count === 0) throw new Error('a batch without events');
  return { expected: base, next, events: events.slice(0, count), changes };
}

/** The first batches that `events` make, at most `limit`; each follows the one before. */
export function nextBatches(keys: Keys, base: Tip, events: LoggedEvent[], limit: number): Batch[] {
  const batches: Batch[] = [];
  let next = base;
  for (let done = 0; done < events.length && batches.length < limit;) {
    const batch = nextBatch(keys, next, events.slice(done));
    batches.push(batch);
    done += batch.events.length;
    next = batch.next;
  }
  return batches;
}
