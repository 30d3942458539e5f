import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { TallyEvent, Tip } from '../../domain/events';
import { Changes } from '../../read-model/changes';
import type { Keys } from '../../read-model/keys';
import type { Operation } from '../../read-model/operations';
import { fill, finish, type Outcome, type ScriptedRedis } from '../../read-model/scripts';
import { KEEPER_TTL_MS } from './generations';
import { project } from '../project';

/** Words of JSON in one chunk; it holds Redis for 1 to 2 ms, and this process for less. */
const MAX_WORDS = 1000;
/** Two for each order. */
const MAX_ORDER_OPERATIONS = 125;
/** Sums that are joined before they are written: those of some 60,000 orders of two lines. */
const MAX_SUMS = 1_500_000;
/** Chunks on their way, so that Redis writes one while the next is made. It carries out both before it answers others. */
const MAX_IN_FLIGHT = 2;
const OOM_ATTEMPTS = 5;
const OOM_PAUSE_MS = 1000;

/** The build was overtaken or lost its ground: Redis lost something, or another builder was faster. */
export class RebuildAbandoned extends Error {
  override readonly name = 'RebuildAbandoned';
}

/**
 * Writes a new generation in chunks, each chained to the one before. What belongs to one order is written as it comes;
 * what many orders add to, sums and lists, is joined over as many of them as memory allows.
 */
export class Builder {
  private readonly token = randomUUID();
  private orders = new Changes();
  private sums = new Changes();
  private chunk = 0;
  /** Chunks that were not answered yet, in their order. */
  private readonly sent: { chunk: number; text: string; outcome: Promise<Outcome> }[] = [];

  constructor(
    private readonly redis: ScriptedRedis,
    private readonly keys: Keys,
  ) {}

  async begin(): Promise<void> {
    await this.keep();
    await this.redis.set(this.keys.building, `${this.token}:0`);
  }

  /** Says that the builder is alive, so that nobody collects the generation. */
  async keep(): Promise<void> {
    await this.redis.set(this.keys.keeper, this.token, 'PX', KEEPER_TTL_MS);
  }

  async add(events: TallyEvent[]): Promise<void> {
    for (const event of events) {
      for (const operation of project(this.keys, event)) {
        (isJoined(operation) ? this.sums : this.orders).add(operation);
      }
      if (this.orders.size >= MAX_ORDER_OPERATIONS) await this.writeOrders();
      if (this.sums.size >= MAX_SUMS) await this.writeSums();
    }
  }

  async end(tip: Tip): Promise<void> {
    await this.writeOrders();
    await this.writeSums();
    while (this.sent.length > 0) await this.settleOldest();
    this.insist(this.chunk, await finish(this.redis, this.keys, this.token, this.chunk, tip));
  }

  private async writeOrders(): Promise<void> {
    const { orders } = this;
    this.orders = new Changes();
    await this.write(orders);
  }

  private async writeSums(): Promise<void> {
    const { sums } = this;
    this.sums = new Changes();
    await this.write(sums);
  }

  private async write(changes: Changes): Promise<void> {
    for (const text of changes.encodeParts(MAX_WORDS)) {
      if (this.sent.length >= MAX_IN_FLIGHT) await this.settleOldest();
      const { chunk } = this;
      this.sent.push({ chunk, text, outcome: this.fill(chunk, text) });
      this.chunk += 1;
      await nextTurn(); // requests that this process serves come first
    }
  }

  private fill(chunk: number, text: string): Promise<Outcome> {
    const outcome = fill(this.redis, this.keys, this.token, chunk, text);
    outcome.catch(() => undefined); // told when its turn to be settled comes
    return outcome;
  }

  private async settleOldest(): Promise<void> {
    const [oldest] = this.sent;
    if (oldest === undefined) return;
    for (let attempt = 1; ; attempt++) {
      const outcome = await oldest.outcome;
      if (outcome.status !== 'oom' || attempt === OOM_ATTEMPTS) {
        this.insist(oldest.chunk, outcome);
        this.sent.shift();
        return;
      }
      // None of those behind it was written either.
      await Promise.allSettled(this.sent.map((chunk) => chunk.outcome));
      await delay(OOM_PAUSE_MS);
      for (const chunk of this.sent) chunk.outcome = this.fill(chunk.chunk, chunk.text);
    }
  }

  private insist(chunk: number, { status, detail }: Outcome): void {
    if (status === 'applied' || status === 'already') return;
    throw new RebuildAbandoned(`generation ${this.keys.generation}, chunk ${chunk}: ${status} ${detail}`);
  }
}

/** Whether other orders add to the same key. */
function isJoined({ kind }: Operation): boolean {
  return kind === 'count' || kind === 'count-field' || kind === 'rank' || kind === 'add-id';
}
