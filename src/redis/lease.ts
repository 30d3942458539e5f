import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { loadScript } from './script';
import { readText } from './stored';

/** A holder that says nothing for this long is taken for dead, and another may begin. */
const TTL_MS = 5_000;
const RENEW_MS = 1_000;

const script = loadScript(__dirname, ['lease']);

/**
 * A lock that expires by itself and is renewed as long as its holder lives. It only saves double work: it may vanish or
 * expire at any moment, so whatever is done under it must be correct without it.
 */
export class Lease {
  readonly token = randomUUID();
  private readonly ended = new AbortController();
  private renewal: NodeJS.Timeout | undefined;

  private constructor(
    private readonly redis: Redis,
    private readonly key: string,
    private readonly note: () => string,
  ) {}

  /**
   * @param note what its holder does, for others to read; asked at each renewal.
   * @returns undefined where another holds it.
   */
  static async take(redis: Redis, key: string, note: () => string): Promise<Lease | undefined> {
    const lease = new Lease(redis, key, note);
    if (!(await lease.set(TTL_MS))) return undefined;
    lease.renewal = setInterval(() => void lease.renew(), RENEW_MS);
    return lease;
  }

  /** Aborted when another has taken the lease. */
  get lost(): AbortSignal {
    return this.ended.signal;
  }

  async release(): Promise<void> {
    clearInterval(this.renewal);
    await this.set(0);
  }

  private async renew(): Promise<void> {
    // A renewal that does not get through is tried again in a second; the lease outlives a few of them.
    const isMine = await this.set(TTL_MS).catch(() => true);
    if (isMine) return;
    clearInterval(this.renewal);
    this.ended.abort(new Error('another instance has taken over, because this one was silent for too long'));
  }

  private async set(ttlMs: number): Promise<boolean> {
    return (await script.run(this.redis, [this.key], [this.token, this.note(), ttlMs, TTL_MS])) === 1;
  }
}

/** The note of whoever holds a lease; undefined where nobody does. */
export async function readLeaseNote(redis: Redis, key: string): Promise<string | undefined> {
  const value = await readText(redis, key);
  return value?.includes(' ') === true ? value.slice(value.indexOf(' ') + 1) : undefined;
}
