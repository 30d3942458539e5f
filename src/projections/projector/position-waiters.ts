interface Waiter {
  position: number;
  done(reached: boolean): void;
}

/** Those who wait until the read model contains a position. Each waits at most as long as it said. */
export class Waiters {
  private readonly waiting = new Set<Waiter>();

  /** Resolves with true when `release` is told of the position, with false when the time is over first. */
  async wait(position: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        position,
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

  release(position: number): void {
    for (const waiter of this.waiting) if (waiter.position <= position) waiter.done(true);
  }

  /** Nobody will be told any more. */
  releaseAll(): void {
    for (const waiter of this.waiting) waiter.done(false);
  }
}
