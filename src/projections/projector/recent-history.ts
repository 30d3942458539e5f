import type { LoggedEvent } from '../../domain/events';
import type { EventId } from '../../domain/ids';
import type { LogPosition } from '../../domain/log-position';
import { readEventIds } from '../../mysql/log';
import type { Database } from '../../mysql/pool';

/** Positions that are remembered: some seconds of a busy shop. */
const MAX_KNOWN = 10_000;

/**
 * The newest part of the log, as this process has seen it: positions that follow each other, and which event stands at each.
 * They are of one history, because each was read or committed together with the one before it. What is not among them
 * is looked up in the log.
 */
export class RecentHistory {
  private first = 0;
  private ids: EventId[] = [];

  constructor(private readonly database: Database) {}

  /** Adds events that follow `base`. Where they do not continue what is known, what is known is forgotten. */
  extend(base: LogPosition, events: readonly LoggedEvent[]): void {
    if (!this.knows(base)) {
      this.first = base.position;
      this.ids = [base.eventId];
    }
    for (const event of events) {
      const index = event.position - this.first;
      if (this.ids[index] === event.eventId) continue;
      // Another event than the one known there: MySQL has gone back in time since.
      this.ids.length = index;
      this.ids.push(event.eventId);
    }
    if (this.ids.length > 2 * MAX_KNOWN) {
      this.first += this.ids.length - MAX_KNOWN;
      this.ids = this.ids.slice(-MAX_KNOWN);
    }
  }

  forget(): void {
    this.ids = [];
  }

  /** Whether the position is among those known. */
  knows({ position, eventId }: LogPosition): boolean {
    return this.ids[position - this.first] === eventId;
  }

  /**
   * Those of the positions that are in the log, and so of one history.
   * @param database where to ask for those that are not known.
   * @throws where it cannot be asked.
   */
  async held(positions: readonly LogPosition[], database = this.database): Promise<LogPosition[]> {
    if (positions.every((position) => this.knows(position))) return [...positions];
    const ids = await database.session((session) =>
      readEventIds(
        session,
        positions.map(({ position }) => position),
      ),
    );
    return positions.filter(({ position, eventId }) => ids.get(position) === eventId);
  }
}
