import { logPositionOf, type LoggedEvent } from '../../domain/events';
import type { LogPosition } from '../../domain/log-position';
import type { Appended } from '../../mysql/append';
import type { Head } from '../../mysql/log';

/** More than this waits in MySQL instead, where it is anyway. */
const MAX_EVENTS = 10_000;

/** An event, the log position that it was committed on, and when it came (`performance.now()`). */
interface Pending {
  previous: LogPosition;
  logged: LoggedEvent;
  since: number;
}

/** Events that this process committed and has not seen applied; they arrive out of order and leave in order. */
export class PendingEvents {
  private readonly pending = new Map<number, Pending>();

  /** @param onApplied told of each event how long it was pending. */
  constructor(private readonly onApplied: (waitSeconds: number) => void = () => undefined) {}

  get size(): number {
    return this.pending.size;
  }

  /** @returns false where too many are pending: then these events must be read from MySQL. */
  offer({ base, events }: Pick<Appended, 'base' | 'events'>): boolean {
    if (this.pending.size + events.length > MAX_EVENTS) return false;
    const since = performance.now();
    let previous = base;
    for (const logged of events) {
      this.pending.set(logged.position, { previous, logged, since });
      previous = logPositionOf(logged);
    }
    return true;
  }

  /** The events from the lowest position on that follow each other, and the log position that they follow. */
  oldestRun(): { base: LogPosition; events: LoggedEvent[] } | undefined {
    const first = this.lowest();
    if (first === undefined) return undefined;
    const events = [first.logged];
    for (let last = first.logged; ;) {
      const next = this.pending.get(last.position + 1);
      // Committed onto another event: a failover in between lost one of the two.
      if (next === undefined || next.previous.eventId !== last.eventId) break;
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
    for (const [known, { since }] of this.pending) {
      if (known > position) continue;
      this.pending.delete(known);
      this.onApplied((now - since) / 1000);
    }
  }

  /** Drops what was committed before the head was asked for, and lies beyond it: MySQL has lost it since. */
  dropLost({ position, askedAt }: Pick<Head, 'position' | 'askedAt'>): void {
    for (const [known, { since }] of this.pending) {
      if (known > position && since < askedAt) this.pending.delete(known);
    }
  }

  clear(): void {
    this.pending.clear();
  }

  private lowest(): Pending | undefined {
    let lowest: Pending | undefined;
    for (const each of this.pending.values()) {
      if (lowest === undefined || each.logged.position < lowest.logged.position) lowest = each;
    }
    return lowest;
  }
}
