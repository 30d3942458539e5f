import { Problem } from '../../domain/problems';
import { queueIsFull } from '../../mysql/pool';

/** Transactions under way at a time: while one waits for its disk, the next one reads. */
const MAX_IN_FLIGHT = 2;
/** More in one transaction gains nothing, and delays its first command. */
const MAX_BATCH = 256;

interface Waiting<T, R> {
  item: T;
  /** Rejects it when it has waited for too long. */
  timer: NodeJS.Timeout;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/**
 * Lets what arrives while others are being carried out wait, and be carried out together. Nothing is held back for
 * company: what arrives alone is carried out at once, alone.
 */
export class Batches<T, R> {
  private waiting: Waiting<T, R>[] = [];
  private inFlight = 0;
  private scheduled = false;

  constructor(
    private readonly options: {
      /**
       * Settles every item of the batch. `yieldTurn` lets the next batch begin before that: for what takes long because
       * something is wrong with this one.
       */
      carryOut: (batch: T[], yieldTurn: () => void) => Promise<PromiseSettledResult<R>[]>;
      /** Two items with the same one are never carried out together. */
      identityOf: (item: T) => string;
      maxWaiting: number;
      maxWaitMs: number;
    },
  ) {}

  /** @throws Problem `overloaded` where too many wait, or this one has for too long; and what the item is rejected with. */
  async add(item: T): Promise<R> {
    const { maxWaiting, maxWaitMs } = this.options;
    if (this.waiting.length >= maxWaiting) throw queueIsFull();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((entry) => entry.timer !== timer);
        const detail = 'The command waited for its turn for too long; nothing was changed.';
        reject(new Problem('overloaded', detail, { retryAfterSeconds: 1 }));
      }, maxWaitMs);
      this.waiting.push({ item, timer, resolve, reject });
      this.next();
    });
  }

  /** At the end of this turn of the event loop, so that commands that were read in one turn go together. */
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
      this.inFlight += 1;
      let hasTurn = true;
      const yieldTurn = () => {
        if (!hasTurn) return;
        hasTurn = false;
        this.inFlight -= 1;
        this.begin(); // what waits has gathered while this one was carried out
      };
      void this.settle(this.take(), yieldTurn).finally(yieldTurn);
    }
  }

  private async settle(batch: Waiting<T, R>[], yieldTurn: () => void): Promise<void> {
    const items = batch.map(({ item }) => item);
    const results = await this.options
      .carryOut(items, yieldTurn)
      .catch((reason: unknown) => items.map(() => ({ status: 'rejected' as const, reason })));
    for (const [index, waiting] of batch.entries()) {
      const result = results[index];
      if (result?.status === 'fulfilled') waiting.resolve(result.value);
      else waiting.reject(result?.reason ?? new Error('a batch with fewer results than items'));
    }
  }

  /** The oldest that may go together, in the order in which they came. */
  private take(): Waiting<T, R>[] {
    const identities = new Set<string>();
    const batch: Waiting<T, R>[] = [];
    const rest: Waiting<T, R>[] = [];
    for (const entry of this.waiting) {
      const identity = this.options.identityOf(entry.item);
      if (batch.length >= MAX_BATCH || identities.has(identity)) rest.push(entry);
      else {
        identities.add(identity);
        clearTimeout(entry.timer);
        batch.push(entry);
      }
    }
    this.waiting = rest;
    return batch;
  }
}
