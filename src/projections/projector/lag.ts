import type { Instant } from '../../domain/ids';
import type { LogPosition } from '../../domain/log-position';
import type { Head } from '../../mysql/log';

export interface LagStatus {
  applied: LogPosition | undefined;
  head: LogPosition | undefined;
  /** How long ago `head` was last seen. */
  headAgeMs: number | undefined;
  /** How many orders the log says exist, as last seen. */
  orders: number;
  /** How much of the bound of all sums is used, from 0 to 1, as last seen. */
  boundShare: number;
  lagEvents: number;
  /** Age of the oldest event that is not applied. */
  lagSeconds: number;
  /** Why nothing is being applied, if so. */
  stalled: string | undefined;
}

/** How far the read model is behind the log, as this process last saw both. */
export class Lag {
  applied: LogPosition | undefined;
  head: LogPosition | undefined;
  oldestUnappliedAt: Instant | undefined;
  stalled: string | undefined;
  private seenAt: number | undefined;
  private orders = 0;
  private boundShare = 0;

  /** This process has just committed up to `last`, beginning with an event of that time. */
  committed(last: LogPosition, firstOccurredAt: Instant | undefined): void {
    this.oldestUnappliedAt ??= firstOccurredAt;
    if (last.position <= (this.head?.position ?? 0)) return;
    this.head = last;
    this.seenAt = performance.now();
  }

  /** Ignores what MySQL answered before our last commit. A later answer with a lower position counts: MySQL was restored. */
  sawHead({ position, eventId, live, boundShare, askedAt }: Head): void {
    if (this.seenAt !== undefined && askedAt < this.seenAt) return;
    this.head = { position, eventId };
    this.seenAt = askedAt;
    this.orders = live.order;
    this.boundShare = boundShare;
  }

  status(): LagStatus {
    const { applied, head, seenAt, oldestUnappliedAt: oldest, orders, boundShare, stalled } = this;
    const lagEvents = Math.max(0, (head?.position ?? 0) - (applied?.position ?? 0));
    const lagSeconds = lagEvents === 0 || oldest === undefined ? 0 : (Date.now() - Date.parse(oldest)) / 1000;
    return {
      applied,
      head,
      headAgeMs: seenAt === undefined ? undefined : performance.now() - seenAt,
      orders,
      boundShare,
      lagEvents,
      lagSeconds: Math.max(0, lagSeconds),
      stalled,
    };
  }
}
