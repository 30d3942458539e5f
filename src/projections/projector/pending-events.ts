import { tipOf, type LoggedEvent, type Tip } from '../../domain/events';
import type { Appended } from '../../mysql/log';

/** More than this waits in MySQL instead, where it is anyway. */
const MAX_EVENTS = 10_000;

/** An event, the tip that it was committed on, and when it came (`performance.now()`). */
interface Link {
  previous: Tip;
  logged: LoggedEvent;
  since: number;
}

/** Events that this process committed and has not seen applied; they arrive out of order and leave in order. */
export class Inbox {
  private readonly links = new Map<number, Link>();

  /** @param onApplied told of each event how long it was here until it was applied. */
  constructor(private readonly onApplied: (waitSeconds: number) => void = () => undefined) {}

  get size(): number {
    return this.links.size;
  }

  /** @returns false where the inbox is full: then these events must be read from MySQL. */
  offer({ base, events }: Appended): boolean {
    if (this.links.size + events.length > MAX_EVENTS) return false;
    const since = performance.now();
    let previous = base;
    for (const logged of events) {
      this.links.set(logged.position, { previous, logged, since });
      previous = tipOf(logged);
    }
    return true;
  }

  /** The events from the lowest position on that follow each other, and the tip that the first was committed on. */
  oldestRun(): { base: Tip; events: LoggedEvent[] } | undefined {
    const first = this.lowest();
    if (first === undefined) return undefined;
    const events = [first.logged];
    for (let last = first.logged; ;) {
      const next = this.links.get(last.position + 1);
      // Committed onto another event: a failover in between lost one of the two.
      if (next === undefined || next.previous.commandId !== last.commandId) break;
      last = next.logged;
      events.push(last);
    }
    return { base: first.previous, events };
  }

  oldest(): LoggedEvent | undefined {
    return this.lowest()?.logged;
  }

  /** Everything up to and including this position was applied. */
  dropThrough(position: number): void {
    const now = performance.now();
    for (const [known, { since }] of this.links) {
      if (known > position) continue;
      this.links.delete(known);
      this.onApplied((now - since) / 1000);
    }
  }

  clear(): void {
    this.links.clear();
  }

  private lowest(): Link | undefined {
    let lowest: Link | undefined;
    for (const link of this.links.values()) {
      if (lowest === undefined || link.logged.position < lowest.logged.position) lowest = link;
    }
    return lowest;
  }
}
