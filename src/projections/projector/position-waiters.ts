import type { MinPosition } from '../../domain/log-position';

interface Waiter {
  at: MinPosition;
  done(reached: boolean): void;
}

/** Those who wait until the read model contains a log position. Each waits at most as long as it said. */
export class PositionWaiters {
  private readonly waiting = new Set<Waiter>();

  /** Resolves with true when `release` reaches the position, with false when the time is over first. */
  async wait(at: MinPosition, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        at,
        done: (reached) => {
          clearTimeout(timer);
          this.waiting.delete(waiter);
          resolve(reached);
        },
      };
      const timer = setTimeout(() => waiter.done(false), timeoutMs);
      this.waiting.add(waiter);
    });
  }

  /** The positions that are waited for, up to this one. */
  upTo(position: number): MinPosition[] {
    return [...this.waiting].flatMap(({ at }) => (at.position <= position ? [at] : []));
  }

  /** Lets those go for whom `isReached` says so. */
  release(isReached: (at: MinPosition) => boolean): void {
    for (const waiter of this.waiting) if (isReached(waiter.at)) waiter.done(true);
  }

  /** Nobody will be released any more. */
  giveUp(): void {
    for (const waiter of this.waiting) waiter.done(false);
  }
}
