import { setTimeout as delay } from 'node:timers/promises';
import { Turns } from '../concurrency';
import type { LogPosition, MinPosition } from '../domain/log-position';
import { Problem } from '../domain/problems';
import { isUnreachable, type Redis } from '../redis/client';
import { Coalescing } from './coalescing';
import type { Keys } from './keys';
import type { LiveGeneration } from './live';
import type { Absent, Reading } from './reading-script';

/** What was read, and the log position at which it is true. */
export interface Positioned<T> {
  at: LogPosition;
  value: T;
}

/** What the reader needs to know of the log and of what is being done; answered by the projector and the supervisor. */
export interface ReaderNeeds {
  freshness: {
    /** Resolves when the read model has probably reached the position, or when the time is over. */
    waitFor(min: MinPosition, timeoutMs: number): Promise<unknown>;
    /** Whether the log is known not to hold the position: it ends before, or has another event there. */
    isUnknown(min: MinPosition, timeoutMs: number): Promise<boolean>;
    /** Whether both are in the log, and so of one history; false where that is not known within the time. */
    areInLog(positions: LogPosition[], timeoutMs: number): Promise<boolean>;
  };
  /** Asks for a look at the log now. */
  nudge(): void;
  supervisor: {
    /** Whether this generation is known to be lost, for example of another history than the log. */
    isLost(keys: Keys): boolean;
    /** Told that a reading met a key that does not hold what it should. */
    verifySoon(): void;
    /** Told that the log does not know somebody of whom a reading tells. */
    reconcileSoon(subject: { kind: 'product' | 'user'; id: number }): void;
    /** What to tell a client while there is no model. */
    whyThereIsNone(): Promise<Problem>;
  };
}

export interface ReadOptions {
  /** The answer must contain this position. */
  minPosition?: MinPosition | undefined;
}

const RETRY_PAUSE_MS = 2;

/**
 * Reads the live generation. Every reading states its position, and a model that is not complete is never read. Requests
 * for the same share a reading that has not begun: see `Coalescing`.
 */
export class Reader {
  /** Readings that cost Redis so much that only a few may be under way: others would wait for all of them. */
  readonly turns;
  private readonly coalescing = new Coalescing();

  constructor(
    readonly redis: Redis,
    private readonly live: LiveGeneration,
    private readonly needs: ReaderNeeds,
    private readonly waitMs: number,
  ) {
    const common = { waitMs, refusal: tooManyReports };
    this.turns = {
      /** Heads of many rankings; milliseconds each. */
      wide: new Turns({ ...common, limit: 2, maxWaiting: 64 }),
      /** Many rankings whole; half a second each, in small parts. */
      whole: new Turns({ ...common, limit: 1, maxWaiting: 8 }),
    };
  }

  /**
   * What `read` reads; `question` names it, with all its parameters. The value is shared, so nobody may change it, and
   * nothing that belongs to one request may go into it.
   * @throws Problem `read-model-building`, `read-model-diverged`, `read-model-unreachable`, `read-model-damaged`,
   * `read-model-behind`, `unknown-position`, and the problems that `read` throws.
   */
  async read<T>(
    question: string,
    { minPosition }: ReadOptions,
    read: (keys: Keys) => Promise<Reading<T>>,
  ): Promise<Positioned<T>> {
    const deadline = performance.now() + this.waitMs;
    for (;;) {
      const reading = await this.coalescing.get(question, () => this.readLive(read));
      const { at } = reading;
      if (minPosition === undefined || (await this.contains(at, minPosition, deadline))) return reading;
      if (await this.needs.freshness.isUnknown(minPosition, deadline - performance.now())) {
        throw new Problem('unknown-position', `The log does not hold position ${minPosition.position}.`);
      }
      const remainingMs = deadline - performance.now();
      if (remainingMs <= 0) {
        const detail = `The read model is at position ${at.position}, and does not contain ${minPosition.position} yet.`;
        const members = { position: at.position };
        throw new Problem('read-model-behind', detail, { retryAfterSeconds: 1, members });
      }
      this.needs.nudge();
      await this.needs.freshness.waitFor(minPosition, remainingMs);
      // What the projector knows may be ahead of a Redis that has just lost its last second: never spin.
      await delay(RETRY_PAUSE_MS);
    }
  }

  /** A name, as far as it is known: where another program has inserted a row, the log is told of it now. */
  nameOf(kind: 'product' | 'user', id: number, name: string | Absent): string {
    if (name === false || name === '') this.needs.supervisor.reconcileSoon({ kind, id });
    return name || '';
  }

  /** Whether a reading at `at` contains `min`: it is not before it, and both are of one history. */
  private async contains(at: LogPosition, min: MinPosition, deadline: number): Promise<boolean> {
    const { position, eventId } = min;
    if (at.position < position) return false;
    if (eventId === undefined) return true;
    if (at.position === position) return at.eventId === eventId;
    return this.needs.freshness.areInLog([{ position, eventId }, at], deadline - performance.now());
  }

  private async readLive<T>(read: (keys: Keys) => Promise<Reading<T>>): Promise<Positioned<T>> {
    try {
      for (let keys = this.live.current ?? (await this.live.refresh()); keys !== undefined;) {
        const reading = this.needs.supervisor.isLost(keys) ? undefined : await read(keys);
        if (reading !== undefined) return reading;
        // This generation was replaced or lost; is another one live?
        const refreshed: Keys | undefined = await this.live.refresh();
        if (refreshed === undefined || refreshed.generation === keys.generation) break;
        keys = refreshed;
      }
      throw await this.needs.supervisor.whyThereIsNone();
    } catch (error) {
      if (error instanceof Problem) throw error;
      if (isUnreachable(error)) {
        const detail = 'Redis did not answer; commands are accepted all the same.';
        throw new Problem('read-model-unreachable', detail, { retryAfterSeconds: 2, cause: error });
      }
      // Whatever else a reading meets, it meets in the read model: a key of another type, or a value that is no number.
      this.needs.supervisor.verifySoon();
      const detail = 'A key does not hold what it should; a repair has been called for.';
      throw new Problem('read-model-damaged', detail, { retryAfterSeconds: 2, cause: error });
    }
  }
}

function tooManyReports(): Problem {
  const detail = 'Too many reports over wide ranges are under way; others are answered.';
  return new Problem('overloaded', detail, { retryAfterSeconds: 2 });
}
