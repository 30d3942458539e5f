import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../domain/problems';
import { parseTip } from '../domain/events';
import type { Keys } from './keys';
import type { LiveGeneration } from './live';
import type { Reading } from './reading';
import { isUnreachable, isWrongType, redisProblem } from '../redis/client';
import type { ScriptedRedis } from './scripts';
import { SharedFetches } from './coalescing';

/** What was read, and the position at which it is true. */
export interface Positioned<T> {
  position: number;
  value: T;
}

/** What the reader needs to know of the log; answered by the projector. */
export interface Freshness {
  /** Resolves when the read model has probably reached the position, or when the time is over. */
  waitFor(position: number, timeoutMs: number): Promise<void>;
  /** Whether the log is known to end before this position. */
  isBeyondHead(position: number): Promise<boolean>;
  /** Told that a reading met a key of the wrong type. */
  damaged(): void;
  /** What to tell a client while there is no model: a sentence on the progress. */
  buildingDetail(): Promise<string>;
}

export interface ReadOptions {
  /** The answer must contain this position. */
  minPosition?: number | undefined;
}

const RETRY_PAUSE_MS = 2;

/**
 * Reads the live generation. Every reading states its position, and a model that is not complete is never read. Requests
 * for the same share a reading that has not begun: see `SharedFetches`.
 */
export class Reader {
  private readonly shared = new SharedFetches();

  constructor(
    readonly redis: ScriptedRedis,
    private readonly live: LiveGeneration,
    private readonly freshness: Freshness,
    private readonly waitMs: number,
  ) {}

  /**
   * What `read` reads; `question` names it, with all its parameters. The value is shared, so nobody may change it, and
   * nothing that belongs to one request may go into it.
   * @throws Problem `read-model-building`, `read-model-unreachable`, `read-model-damaged`, `read-model-behind`, `unknown-position`, and
   * whatever `read` throws.
   */
  async read<T>(
    question: string,
    { minPosition = 0 }: ReadOptions,
    read: (keys: Keys) => Promise<Reading<T>>,
  ): Promise<Positioned<T>> {
    const deadline = performance.now() + this.waitMs;
    for (;;) {
      const reading = await this.shared.get(question, () => this.readLive(read));
      if (reading.position >= minPosition) return reading;
      if (await this.freshness.isBeyondHead(minPosition)) {
        throw new Problem('unknown-position', `The log has not reached position ${minPosition}.`);
      }
      const remainingMs = deadline - performance.now();
      if (remainingMs <= 0) {
        const detail = `The read model is at position ${reading.position}, before ${minPosition}.`;
        throw new Problem('read-model-behind', detail, {
          retryAfterSeconds: 1,
          members: { position: reading.position },
        });
      }
      await this.freshness.waitFor(minPosition, remainingMs);
      // What the projector knows may be ahead of a Redis that has just lost its last second: never spin.
      await delay(RETRY_PAUSE_MS);
    }
  }

  private async readLive<T>(read: (keys: Keys) => Promise<Reading<T>>): Promise<Positioned<T>> {
    try {
      for (let keys = this.live.current ?? (await this.live.refresh()); keys !== undefined;) {
        const reading = await read(keys);
        const tip = reading.applied === null ? undefined : parseTip(reading.applied);
        if (reading.applied !== null && tip !== undefined)
          return { position: tip.position, value: reading.value };
        // This generation was retired or lost; is another one live?
        const refreshed: Keys | undefined = await this.live.refresh();
        if (refreshed === undefined || refreshed.generation === keys.generation) break;
        keys = refreshed;
      }
      const detail = await this.freshness.buildingDetail();
      throw new Problem('read-model-building', detail, { retryAfterSeconds: 2 });
    } catch (error) {
      if (error instanceof Problem) throw error;
      if (isUnreachable(error)) throw redisProblem(error);
      if (!isWrongType(error)) throw error;
      this.freshness.damaged();
      const detail = 'A key has another type than it should; a repair has been called for.';
      throw new Problem('read-model-damaged', detail, { retryAfterSeconds: 2, cause: error });
    }
  }
}
