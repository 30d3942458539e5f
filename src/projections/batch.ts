import { tipOf, type LoggedEvent, type Tip } from '../events';
import type { Keys } from '../read-model/keys';
import { Coalescer, type Operation } from '../read-model/operations';
import { project } from './project';

/** Holds Redis for about 2.5 ms. */
const MAX_OPERATIONS = 500;
/** Bounds the work of coalescing where many events come to little. */
const MAX_EVENTS = 500;

/** Events that go to Redis in one script. */
export interface Batch {
  expected: Tip;
  next: Tip;
  events: LoggedEvent[];
  operations: Operation[];
}

/**
 * As many of `events`, which follow `base` without a gap, as one script should carry; at least one, since an event is
 * never split.
 * @throws Error where the events do not follow each other: then the caller broke the chain.
 */
export function nextBatch(keys: Keys, base: Tip, events: LoggedEvent[]): Batch {
  const coalescer = new Coalescer();
  let next = base;
  let count = 0;
  for (const logged of events) {
    if (logged.position !== base.position + count + 1) {
      throw new Error(`event ${logged.position} does not follow ${next.position}`);
    }
    const operations = project(keys, logged.event);
    if (count > 0 && (coalescer.size + operations.length > MAX_OPERATIONS || count >= MAX_EVENTS)) break;
    coalescer.add(operations);
    next = tipOf(logged);
    count += 1;
  }
  if (count === 0) throw new Error('a batch without events');
  return { expected: base, next, events: events.slice(0, count), operations: coalescer.operations() };
}
