import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { TallyEvent, Tip } from '../events';
import type { Database } from '../mysql/database';
import { Keys } from '../read-model/keys';
import type { LiveGeneration } from '../read-model/live';
import { Coalescer, type Operation } from '../read-model/operations';
import { fill, finish, flip, type Outcome, type ScriptedRedis } from '../read-model/scripts';
import { catchUp } from './applier';
import { KEEPER_TTL_MS, retire } from './generations';
import { project } from './project';
import { tipOfHead, withSnapshot } from './snapshot';
import { verify, type Verification } from './verify';
import type { Work } from './work';

/** Holds Redis for about 2.5 ms. */
const MAX_OPERATIONS = 500;
const FLIP_ATTEMPTS = 20;
const OOM_ATTEMPTS = 5;
const OOM_PAUSE_MS = 1000;

/** The build was overtaken or lost its ground: Redis lost something, or another builder was faster. */
export class RebuildAbandoned extends Error {
  override readonly name = 'RebuildAbandoned';
}

export interface Rebuilt {
  keys: Keys;
  orders: number;
  /** Where the snapshot stood. */
  tip: Tip;
  verification: Verification;
}

/**
 * Fills a new generation from one snapshot of MySQL, brings it up to date, verifies it, and makes it the live
 * one. The old generation answers meanwhile. Nothing is locked, and a builder may die at any moment: its leftovers
 * are collected by the next.
 * @throws RebuildAbandoned
 */
export async function rebuild(
  redis: ScriptedRedis,
  database: Database,
  live: LiveGeneration,
  work: Work,
): Promise<Rebuilt> {
  const keys = new Keys(live.prefix, randomBytes(4).toString('hex'));
  const builder = new Builder(redis, keys);
  await builder.begin();
  // A sign of life that does not come through is noticed by the next chunk, or by the flip.
  const alive = setInterval(() => void builder.keep().catch(() => undefined), KEEPER_TTL_MS / 4);
  try {
    const { tip, orders } = await fillFromSnapshot(database, builder, work);
    await work.progress({ phase: 'catching up' });
    await catchUp(redis, database, keys);
    await work.progress({ phase: 'verifying', done: 0 });
    const verification = await verify(redis, database, keys, { repair: true, work });
    await goLive(redis, database, live, keys, builder);
    return { keys, tip, orders, verification };
  } finally {
    clearInterval(alive);
  }
}

async function fillFromSnapshot(
  database: Database,
  builder: Builder,
  work: Work,
): Promise<{ tip: Tip; orders: number }> {
  return withSnapshot(database, async (snapshot) => {
    await work.progress({ phase: 'loading', total: snapshot.head.ordersLive });
    for await (const events of snapshot.catalogue()) await builder.add(events);
    let done = 0;
    for await (const page of snapshot.orders()) {
      await builder.add(page.map((order): TallyEvent => ({ type: 'OrderCreated', order })));
      done += page.length;
      await work.progress({ done });
    }
    const tip = tipOfHead(snapshot.head);
    await builder.end(tip);
    return { tip, orders: done };
  });
}

async function goLive(
  redis: ScriptedRedis,
  database: Database,
  live: LiveGeneration,
  keys: Keys,
  builder: Builder,
): Promise<void> {
  const old = await live.refresh();
  for (let attempt = 1; attempt <= FLIP_ATTEMPTS; attempt++) {
    await builder.keep();
    await catchUp(redis, database, keys);
    const { status, detail } = await flip(redis, keys, old);
    if (status === 'applied' || status === 'already') {
      await live.refresh();
      if (old !== undefined) await retire(redis, old);
      return;
    }
    // `behind`: others applied to the old one since our catch-up; the gap shrinks with every round.
    if (status !== 'behind')
      throw new RebuildAbandoned(`generation ${keys.generation} cannot go live: ${status} ${detail}`);
  }
  throw new RebuildAbandoned(`generation ${keys.generation} did not catch up with the live one`);
}

/** Writes a generation chunk by chunk, each chained to the one before. */
class Builder {
  private readonly token = randomUUID();
  private coalescer = new Coalescer();
  private chunk = 0;

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
      this.coalescer.add(project(this.keys, event));
      if (this.coalescer.size >= MAX_OPERATIONS) await this.flush();
    }
  }

  async end(tip: Tip): Promise<void> {
    await this.flush();
    this.insist(await finish(this.redis, this.keys, this.token, this.chunk, tip));
  }

  private async flush(): Promise<void> {
    const operations: Operation[] = this.coalescer.operations();
    this.coalescer = new Coalescer();
    for (let attempt = 1; ; attempt++) {
      const outcome = await fill(this.redis, this.keys, this.token, this.chunk, operations);
      if (outcome.status !== 'oom' || attempt === OOM_ATTEMPTS) {
        this.insist(outcome);
        break;
      }
      await delay(OOM_PAUSE_MS);
    }
    this.chunk += 1;
  }

  private insist({ status, detail }: Outcome): void {
    if (status === 'applied' || status === 'already') return;
    throw new RebuildAbandoned(
      `generation ${this.keys.generation}, chunk ${this.chunk}: ${status} ${detail}`,
    );
  }
}
