import { logPositionOf, type LoggedEvent } from '../../domain/events';
import type { LogPosition } from '../../domain/log-position';
import { Changes } from '../../read-model/changes';
import type { Keys } from '../../read-model/keys';
import { project } from '../project';

/** Some 70 orders of two lines; holds Redis for 2 to 3 ms. */
const MAX_OPERATIONS = 2000;
/** Bounds the work of joining where many events come to little. */
const MAX_EVENTS = 500;

/** Events that go to Redis in one script. */
export interface Batch {
  expected: LogPosition;
  next: LogPosition;
  events: LoggedEvent[];
  changes: Changes;
}

/** The first batches that `events` make, which follow `base` without a gap; at most `limit`. Each follows the one before. */
export function nextBatches(keys: Keys, base: LogPosition, events: LoggedEvent[], limit: number): Batch[] {
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

/**
 * As many events as one script should carry; at least one, since an event is never split.
 * @throws Error where the events do not follow each other: then the caller broke the chain.
 */
function nextBatch(keys: Keys, base: LogPosition, events: LoggedEvent[]): Batch {
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
    next = logPositionOf(logged);
    count += 1;
  }
  return { expected: base, next, events: events.slice(0, count), changes };
}
