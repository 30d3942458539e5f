import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../../domain/errors';
import type { TallyEvent } from '../../domain/events';
import { formatLogPosition, type LogPosition } from '../../domain/log-position';
import { advance, type Advance } from '../../read-model/advance';
import { Changes } from '../../read-model/changes';
import { beginFilling, fillingAt } from '../../read-model/checkpoint';
import type { Keys } from '../../read-model/keys';
import type { Operation } from '../../read-model/operations';
import { isUnreachable, type Redis } from '../../redis/client';
import { project } from '../project';
import { ResyncError } from './resync-error';

/** Words of JSON in one chunk; it holds Redis for 1 to 2 ms, and this process for less. */
const MAX_WORDS = 1000;
/** Two for each order. */
const MAX_ORDER_OPERATIONS = 125;
/** Sums that are joined before they are written: those of some 60,000 orders of two lines. */
const MAX_SUMS = 1_500_000;
/** Chunks on their way, so that Redis writes one while the next is made. It carries out both before it answers others. */
const MAX_IN_FLIGHT = 2;
/** How often a chunk is sent while Redis cannot be reached or has no memory, and the pause before each time. */
const ATTEMPTS = 5;
const RETRY_PAUSE_MS = 1000;

interface Answer {
  status: Advance['status'] | 'unreachable' | 'failed';
  detail: string;
}

/** A chunk, and the answer to it. */
interface Sent {
  chunk: number;
  next: string;
  operations: string;
  answer: Promise<Answer>;
}

/**
 * Writes a new generation in chunks, each of which expects the checkpoint that the one before sets. What belongs to one order
 * is written as it comes; what many orders add to, sums and lists, is joined over as many of them as memory allows.
 */
export class Builder {
  private readonly token = randomUUID();
  private orders = new Changes();
  private sums = new Changes();
  private chunk = 0;
  /** Chunks that were not answered yet, in their order. */
  private readonly sent: Sent[] = [];

  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
    private readonly signal: AbortSignal,
  ) {}

  async begin(): Promise<void> {
    await beginFilling(this.redis, this.keys, this.token);
  }

  async add(events: TallyEvent[]): Promise<void> {
    for (const event of events) {
      for (const operation of project(this.keys, event)) {
        (isJoined(operation) ? this.sums : this.orders).add(operation);
      }
      if (this.orders.size >= MAX_ORDER_OPERATIONS) {
        await this.write(this.orders);
        this.orders = new Changes();
      }
      if (this.sums.size >= MAX_SUMS) {
        await this.write(this.sums);
        this.sums = new Changes();
      }
    }
  }

  /** Declares the generation complete at a position: the last chunk sets it as the checkpoint. */
  async end(at: LogPosition): Promise<void> {
    await this.write(this.orders);
    await this.write(this.sums);
    while (this.sent.length > 0) await this.settleOldest();
    this.send('[]', formatLogPosition(at));
    await this.settleOldest();
  }

  private async write(changes: Changes): Promise<void> {
    for (const operations of changes.encodeParts(MAX_WORDS)) {
      if (this.sent.length >= MAX_IN_FLIGHT) await this.settleOldest();
      this.send(operations, fillingAt(this.token, this.chunk + 1));
      await nextTurn(); // requests that this process serves come first
    }
  }

  private send(operations: string, next: string): void {
    const { chunk } = this;
    this.sent.push({ chunk, next, operations, answer: this.advance(chunk, next, operations) });
    this.chunk += 1;
  }

  private async advance(chunk: number, next: string, operations: string): Promise<Answer> {
    const expected = fillingAt(this.token, chunk);
    try {
      return await advance(this.redis, this.keys, { expected, next, operations });
    } catch (error) {
      if (isUnreachable(error)) return { status: 'unreachable', detail: errorMessage(error) };
      return { status: 'failed', detail: errorMessage(error) };
    }
  }

  private async settleOldest(): Promise<void> {
    const [oldest] = this.sent;
    if (oldest === undefined) return;
    for (let attempt = 1; ; attempt++) {
      const { status, detail } = await oldest.answer;
      // Where an earlier attempt was carried out and its answer was lost, the checkpoint is where this one leads, or further.
      const isDone = status === 'elsewhere' && this.sent.some(({ next }) => next === detail);
      if (status === 'advanced' || isDone) break;
      if (status !== 'out-of-memory' && status !== 'unreachable') {
        // Redis lost something, or another instance took over.
        const where = `generation ${this.keys.generation}, chunk ${oldest.chunk}`;
        throw new ResyncError('failed', `${where}: ${status} ${detail}`);
      }
      if (attempt === ATTEMPTS) throw new ResyncError('unavailable', detail);
      // None of those behind it was written either, unless it was.
      await Promise.all(this.sent.map(({ answer }) => answer));
      await delay(RETRY_PAUSE_MS, undefined, { signal: this.signal });
      for (const each of this.sent) each.answer = this.advance(each.chunk, each.next, each.operations);
    }
    this.sent.shift();
  }
}

/** Whether other orders add to the same key. */
function isJoined({ kind }: Operation): boolean {
  return kind === 'count' || kind === 'count-field' || kind === 'rank' || kind === 'list';
}
