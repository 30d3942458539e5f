import { Problem } from '../errors';

/** Transactions under way at a time: while one waits for its disk, the next one reads. */
const MAX_IN_FLIGHT = 2;
/** More in one transaction gains nothing, and delays its first command. */
const MAX_BATCH = 256;

interface Waiting<T, R> {
  item: T;
  since: number;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/**
 * Lets what arrives while others are being carried out wait, and be carried out together. There is no timer: what
 * arrives alone is carried out at once, alone.
 */
export class Batches<T, R> {
  private waiting: Waiting<T, R>[] = [];
  private inFlight = 0;
  private scheduled = false;

  constructor(
    private readonly options: {
      /** Settles every item of the batch; must not throw. */
      carryOut: (batch: T[]) => Promise<PromiseSettledResult<R>[]>;
      /** Two items with the same one are never carried out together. */
      identityOf: (item: T) => string;
      maxWaiting: number;
      maxWaitMs: number;
    },
  ) {}

  /** @throws Problem `overloaded` where too many wait, or one has waited for too long; and what the item is rejected with. */
  async add(item: T): Promise<R> {
    if (this.waiting.length >= this.options.maxWaiting) throw overloaded();
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, since: performance.now(), resolve, reject });
      this.next();
    });
  }

  /** At the end of this turn of the event loop, so that all commands that were read in one turn go together. */
  private next(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.begin();
    });
  }

  private begin(): void {
    while (this.inFlight < MAX_IN_FLIGHT && this.waiting.length > 0) {
      const batch = this.take();
      if (batch.length === 0) continue;
      this.inFlight += 1;
      void this.settle(batch).finally(() => {
        this.inFlight -= 1;
        this.next();
      });
    }
  }

  private async settle(batch: Waiting<T, R>[]): Promise<void> {
    const results = await this.options.carryOut(batch.map(({ item }) => item));
    for (const [index, waiting] of batch.entries()) {
      const result = results[index];
      if (result?.status === 'fulfilled') waiting.resolve(result.value);
      else waiting.reject(result?.reason ?? new Error('a batch with fewer results than items'));
    }
  }

  /** The oldest that may go together, in the order in which they came. */
  private take(): Waiting<T, R>[] {
    const now = performance.now();
    const identities = new Set<string>();
    const batch: Waiting<T, R>[] = [];
    const rest: Waiting<T, R>[] = [];
    for (const entry of this.waiting) {
      const identity = this.options.identityOf(entry.item);
      if (now - entry.since > this.options.maxWaitMs) entry.reject(overloaded());
      else if (batch.length >= MAX_BATCH || identities.has(identity)) rest.push(entry);
      else {
        identities.add(identity);
        batch.push(entry);
      }
    }
    this.waiting = rest;
    return batch;
  }
}

function overloaded(): Problem {
  return new Problem('overloaded', 'The queue of commands is full; nothing was changed.', {
    retryAfterSeconds: 1,
  });
}
