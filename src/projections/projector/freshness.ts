import type { Logger } from 'pino';
import { errorMessage } from '../../domain/errors';
import type { LogPosition, MinPosition } from '../../domain/log-position';
import { readEventIds, readHead } from '../../mysql/log';
import type { Database } from '../../mysql/pool';
import { within } from '../../mysql/within';
import type { Lag } from './lag';
import type { RecentHistory } from './recent-history';

/** Somebody who waits until the read model contains a position, for at most as long as they said. */
interface Waiter {
  min: MinPosition;
  end(isReached: boolean): void;
}

/** Answers what the read model contains, by what the projector has seen and, where that is not enough, by the log. */
export class Freshness {
  private readonly waiters = new Set<Waiter>();
  private isLookingUp = false;

  /** @param database for what requests ask, which must not take the projector's own connections. */
  constructor(
    private readonly database: Database,
    private readonly lag: Lag,
    private readonly history: RecentHistory,
    private readonly log: Logger,
  ) {}

  /** Resolves with true when the read model contains the position, with false when the time is over first. */
  async waitFor(min: MinPosition, timeoutMs: number): Promise<boolean> {
    if (this.hasReached(min)) return true;
    return new Promise((resolve) => {
      const waiter: Waiter = {
        min,
        end: (isReached) => {
          clearTimeout(timer);
          this.waiters.delete(waiter);
          resolve(isReached);
        },
      };
      const timer = setTimeout(() => waiter.end(false), timeoutMs);
      this.waiters.add(waiter);
    });
  }

  /** Whether the log does not hold a position; false where MySQL does not tell within the time. */
  async isUnknown({ position, eventId }: MinPosition, timeoutMs: number): Promise<boolean> {
    const isReached = (this.lag.head?.position ?? 0) >= position;
    if (isReached && (eventId === undefined || this.history.knows({ position, eventId }))) return false;
    const asked = this.database.session(async (session) => ({
      head: await readHead(session),
      ids: await readEventIds(session, [position]),
    }));
    const answer = await this.withinTime(timeoutMs, asked);
    if (answer === undefined) return false;
    this.lag.sawHead(answer.head);
    return answer.head.position < position || (eventId !== undefined && answer.ids.get(position) !== eventId);
  }

  /** Whether all of these are in the log, and so of one history; false where MySQL does not tell within the time. */
  async areInLog(positions: LogPosition[], timeoutMs: number): Promise<boolean> {
    const held = await this.withinTime(timeoutMs, this.history.held(positions, this.database));
    return held?.length === positions.length;
  }

  /** Told that the read model is at a position of the log's own history. */
  reached(at: LogPosition): void {
    this.release((min) => this.hasReached(min));
    void this.lookUpWaiters(at);
  }

  /** Nobody will be told any more. */
  giveUp(): void {
    for (const waiter of this.waiters) waiter.end(false);
  }

  /** Lets those go for whom `isReached` says so. */
  private release(isReached: (min: MinPosition) => boolean): void {
    for (const waiter of this.waiters) if (isReached(waiter.min)) waiter.end(true);
  }

  /** Whether the read model contains the position; false, too, where this process does not know of which history it is. */
  private hasReached({ position, eventId }: MinPosition): boolean {
    const { applied } = this.lag;
    if (applied === undefined || applied.position < position) return false;
    return eventId === undefined || this.history.knows({ position, eventId });
  }

  /** Those who wait for a position that this process has forgotten, or never knew, are looked up in the log. */
  private async lookUpWaiters(at: LogPosition): Promise<void> {
    const unknown = [...this.waiters].flatMap(({ min: { position, eventId } }): LogPosition[] =>
      position > at.position || eventId === undefined ? [] : [{ position, eventId }],
    );
    if (unknown.length === 0 || this.isLookingUp) return;
    this.isLookingUp = true;
    const held = await this.history.held([at, ...unknown]).catch((): LogPosition[] => []); // they wait on
    this.isLookingUp = false;
    if (!held.includes(at)) return;
    const ids = new Set(held.map(({ eventId }) => eventId));
    this.release(({ eventId }) => eventId !== undefined && ids.has(eventId));
  }

  private async withinTime<T>(timeoutMs: number, asked: Promise<T>): Promise<T | undefined> {
    try {
      return await within(timeoutMs, 'answer of MySQL', asked);
    } catch (error) {
      this.log.warn(
        { reason: errorMessage(error) },
        'MySQL does not tell what its log holds: reads that ask for a position wait, or answer 503',
      );
      return undefined;
    }
  }
}
