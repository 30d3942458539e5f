/**
 * Does the work for all items, for at most `limit` at a time; begins nothing more once one has failed.
 * @throws what the first one that failed did.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    while (failures.length === 0) {
      const next = left.next();
      if (next.done === true) return;
      await work(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures[0];
}

export interface TurnsOptions {
  /** How many go on at a time. */
  limit: number;
  /** How many more may wait for their turn, and for how long. */
  maxWaiting: number;
  waitMs: number;
  /** What is thrown at the others. */
  refusal: () => Error;
}

/** Lets a few at a time do their work, and some more wait for their turn, in the order in which they came. */
export class Turns {
  private taken = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly options: TurnsOptions) {}

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.taken < this.options.limit) this.taken += 1;
    else await this.myTurn();
    try {
      return await work();
    } finally {
      // Handed on, so that nobody who comes meanwhile goes first.
      const [next] = this.waiting;
      if (next === undefined) this.taken -= 1;
      else next();
    }
  }

  private async myTurn(): Promise<void> {
    const { maxWaiting, waitMs, refusal } = this.options;
    if (this.waiting.size >= maxWaiting) throw refusal();
    return new Promise((resolve, reject) => {
      const begin = () => {
        clearTimeout(timer);
        this.waiting.delete(begin);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(begin);
        reject(refusal());
      }, waitMs);
      this.waiting.add(begin);
    });
  }
}

/** The same work, which whoever asks while it is under way shares. */
export function oneAtATime<T>(work: () => Promise<T>): () => Promise<T> {
  let underway: Promise<T> | undefined;
  return () => (underway ??= work().finally(() => (underway = undefined)));
}
