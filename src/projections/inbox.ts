import { tipOf, type LoggedEvent, type Tip } from '../events';
import type { Appended } from '../mysql/log';

/** More than this waits in MySQL instead, where it is anyway. */
const MAX_EVENTS = 10_000;

/** Events that this process committed and has not seen applied; they arrive out of order and leave in order. */
export class Inbox {
  private readonly links = new Map<number, { previous: Tip; logged: LoggedEvent }>();

  get size(): number {
    return this.links.size;
  }

  /** @returns false where the inbox is full: then these events must be read from MySQL. */
  offer({ base, events }: Appended): boolean {
    if (this.links.size + events.length > MAX_EVENTS) return false;
    let previous = base;
    for (const logged of events) {
      this.links.set(logged.position, { previous, logged });
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

  /** Forgets everything up to and including this position. */
  dropThrough(position: number): void {
    for (const known of this.links.keys()) if (known <= position) this.links.delete(known);
  }

  clear(): void {
    this.links.clear();
  }

  private lowest(): { previous: Tip; logged: LoggedEvent } | undefined {
    let lowest: { previous: Tip; logged: LoggedEvent } | undefined;
    for (const link of this.links.values()) {
      if (lowest === undefined || link.logged.position < lowest.logged.position) lowest = link;
    }
    return lowest;
  }
}
