/** A fetch that takes longer, because it is slow or Redis hangs, does not hold up the next one for more than this. */
const MAX_HOLD_MS = 5;
/** Beyond this many different ones at a time each is made by itself. */
const MAX_ENTRIES = 1000;

interface Entry {
  /** Fetches that have begun and not ended. */
  underway: number;
  /** The next one. */
  waiting: { result: Promise<unknown>; begin: () => void } | undefined;
}

/**
 * Request coalescing: requests for the same share one fetch. All that come in the same turn of the event loop share one, and
 * all that come while another fetch of the same is underway share the next one.
 *
 * A request never joins a fetch that has already started, so its answer is never older than its own fetch would have been:
 * what was in the read model before a request came is in its answer. And answers go forward: where A is answered before B
 * comes, A's fetch has ended before B's starts. Nothing is kept: what was fetched goes to those who waited for it, and to
 * nobody else.
 */
export class Coalescing {
  private readonly entries = new Map<string, Entry>();

  /** What one `fetch` returns or throws, for all who share it under this key; theirs must do the same. */
  get<T>(key: string, fetch: () => Promise<T>): Promise<T> {
    let entry = this.entries.get(key);
    // Everybody who uses this key asks for the same type.
    if (entry?.waiting !== undefined) return entry.waiting.result as Promise<T>;
    if (entry === undefined) {
      if (this.entries.size >= MAX_ENTRIES) return fetch();
      entry = { underway: 0, waiting: undefined };
      this.entries.set(key, entry);
    }
    return this.wait(key, entry, fetch);
  }

  private wait<T>(key: string, entry: Entry, fetch: () => Promise<T>): Promise<T> {
    const isFirst = entry.underway === 0;
    let timer: NodeJS.Timeout | undefined;
    let settle!: (made: Promise<T>) => void;
    const result = new Promise<T>((resolve) => (settle = resolve));
    const waiting = {
      result,
      begin: () => {
        // Whichever comes first starts the fetch: the end of this turn, the end of the previous fetch, or the timer.
        if (entry.waiting !== waiting) return;
        entry.waiting = undefined;
        clearTimeout(timer);
        settle(this.make(key, entry, fetch));
      },
    };
    entry.waiting = waiting;
    if (isFirst) setImmediate(waiting.begin);
    else timer = setTimeout(waiting.begin, MAX_HOLD_MS);
    return result;
  }

  private async make<T>(key: string, entry: Entry, fetch: () => Promise<T>): Promise<T> {
    entry.underway += 1;
    try {
      return await fetch();
    } finally {
      entry.underway -= 1;
      // At the end of the turn: requests that this turn still brings come along.
      if (entry.waiting !== undefined) setImmediate(entry.waiting.begin);
      else if (entry.underway === 0) this.entries.delete(key);
    }
  }
}
