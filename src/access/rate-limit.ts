import type { Logger } from 'pino';
import { z } from 'zod';
import { errorMessage } from '../domain/errors';
import type { Redis } from '../redis/client';
import { loadScript } from '../redis/script';

export const WINDOW_MS = 60_000;
/** The longest that a request waits for Redis to count it. */
export const ASK_MS = 50;
/** After Redis has failed to count, nobody asks it for this long. */
const SKIP_MS = 1_000;
/** How long a portion is meant to last. */
const PORTION_MS = 1_000;
/** The largest portion, as a part of the limit. */
const LARGEST_PORTION = 1 / 20;
/** Callers of whom something is known here, in some 300 bytes each. For others, Redis is asked again. */
const MAX_CALLERS = 10_000;

/** What the script returns. */
const answer = z.tuple([z.int(), z.int(), z.int()]);

const script = loadScript(__dirname, ['rate-limit']);

export interface Allowance {
  /** False where the limit was reached before this request. */
  isWithin: boolean;
  /** How many more requests the caller may send in this window, as far as this instance knows. */
  left: number;
  /** Until the window ends, in milliseconds. In Redis it may end later, by ASK_MS at most. */
  endsInMs: number;
}

/** What this instance knows of one caller's window. Times are those of `performance.now()`. */
interface Portion {
  endsAt: number;
  /** Taken from Redis, and not used yet. */
  unused: number;
  /** What was left in Redis after that. */
  left: number;
  /** How many were asked for, and when. */
  size: number;
  askedAt: number;
  isComing: boolean;
}

/**
 * Counts requests in Redis, for all instances together. To ask for each request would make a report half as expensive again,
 * so an instance takes requests from Redis in portions, before they come. So no limit is ever exceeded. What an instance took
 * and does not use is lost to the caller when the window ends: it is at most what the caller sent to it within a second, and
 * one twentieth of the limit. A caller who seldom comes has portions of one.
 */
export class RateLimiter {
  private readonly portions = new Map<string, Portion>();
  private isFailing = false;
  /** When Redis was last found to fail, or tried again since. */
  private failedAt = -Infinity;

  /** @param keyOf the key that counts a caller's requests; undefined as long as the log is not known. */
  constructor(
    private readonly redis: Redis,
    private readonly keyOf: (caller: string) => string | undefined,
    private readonly log: Logger,
  ) {}

  /** Counts a request without asking Redis; undefined where that is not possible. */
  count(caller: string): Allowance | undefined {
    const portion = this.portions.get(caller);
    if (portion === undefined) return undefined;
    const endsInMs = portion.endsAt - performance.now();
    if (endsInMs <= 0) return undefined;
    if (portion.unused > 0) {
      portion.unused -= 1;
      return { isWithin: true, left: portion.unused + portion.left, endsInMs };
    }
    // Refusals cost next to nothing.
    return portion.left > 0 ? undefined : { isWithin: false, left: 0, endsInMs };
  }

  /** Asks Redis to count a request; undefined where Redis does not do so within 50 ms. Does not throw. */
  async ask(caller: string, limit: number): Promise<Allowance | undefined> {
    const now = performance.now();
    const key = this.keyOf(caller);
    if (key === undefined || this.isSkipping(now)) return undefined;
    const portion = this.portionOf(caller);
    // Who comes while a portion is on its way takes one request, and not another portion.
    const takesPortion = !portion.isComing;
    const size = takesPortion ? nextSize(portion, limit, now) : 1;
    if (takesPortion) Object.assign(portion, { size, askedAt: now, isComing: true });
    try {
      const asked = script.run(this.redis, [key], [limit, size, WINDOW_MS]);
      const [taken, left, endsInMs] = answer.parse(await answered(asked));
      this.succeeded(now);
      // What is of the window before does not count in this one.
      if (portion.endsAt <= performance.now()) portion.unused = 0;
      portion.unused += taken;
      portion.left = left;
      // Never later than in Redis, so that nothing is used after its window.
      portion.endsAt = now + endsInMs;
      const isWithin = portion.unused > 0;
      if (isWithin) portion.unused -= 1;
      return { isWithin, left: portion.unused + left, endsInMs };
    } catch (error) {
      this.failed(error);
      return undefined;
    } finally {
      if (takesPortion) portion.isComing = false;
    }
  }

  private portionOf(caller: string): Portion {
    const portion = this.portions.get(caller) ?? {
      endsAt: 0,
      unused: 0,
      left: 0,
      size: 1,
      askedAt: -Infinity,
      isComing: false,
    };
    // Those who have not asked for the longest time come first, and are forgotten first.
    this.portions.delete(caller);
    if (this.portions.size >= MAX_CALLERS) {
      const [oldest = ''] = this.portions.keys();
      this.portions.delete(oldest);
    }
    this.portions.set(caller, portion);
    return portion;
  }

  /** Once a second, one request finds out whether Redis is back. */
  private isSkipping(now: number): boolean {
    if (!this.isFailing) return false;
    if (now - this.failedAt < SKIP_MS) return true;
    this.failedAt = now;
    return false;
  }

  private failed(error: unknown): void {
    this.failedAt = performance.now();
    if (this.isFailing) return;
    this.isFailing = true;
    this.log.warn(
      { reason: errorMessage(error) },
      'Redis does not count requests: until it does, rate limits refuse nobody',
    );
  }

  private succeeded(askedAt: number): void {
    // What was asked before it failed says nothing.
    if (!this.isFailing || askedAt < this.failedAt) return;
    this.isFailing = false;
    this.log.info('Redis counts requests again: rate limits are applied');
  }
}

/** What Redis answers in time. @throws what it fails with, or that it does not. */
async function answered(asked: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer of Redis within ${ASK_MS} ms`));
    // After what has come already: a process that is busy must not take itself for a slow Redis.
    const timer = setTimeout(() => setImmediate(giveUp), ASK_MS);
    const settled = () => clearTimeout(timer);
    asked.then(resolve, reject).then(settled, settled);
  });
}

/** As many as would have lasted long enough before, and at most twice as many. */
function nextSize({ size, askedAt }: Portion, limit: number, now: number): number {
  const lasting = Math.ceil((size * PORTION_MS) / (now - askedAt));
  return Math.max(1, Math.min(lasting, 2 * size, Math.ceil(limit * LARGEST_PORTION)));
}
