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
}

/**
 * Fills a new generation from one snapshot of MySQL, brings it up to date, lets `check` look at it, and makes it the
 * live one. The old generation answers meanwhile. Nothing is locked, and a builder may die at any moment: its leftovers
 * are collected by the next.
 * @throws RebuildAbandoned
 */
export async function rebuild(
  redis: ScriptedRedis,
  database: Database,
  live: LiveGeneration,
  work: Work,
  check: (keys: Keys) => Promise<void>,
): Promise<Rebuilt> {
  const keys = new Keys(live.prefix, randomBytes(4).toString('hex'));
  const builder = new Builder(redis, keys);
  await builder.begin();
  const { tip, orders } = await withSnapshot(database, async (snapshot) => {
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
  await work.progress({ phase: 'catching up' });
  await catchUp(redis, database, keys);
  await builder.keep();
  await work.progress({ phase: 'verifying' });
  await check(keys);
  await goLive(redis, database, live, keys, builder);
  return { keys, tip, orders };
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
    if (this.chunk % 64 === 0) await this.keep();
  }

  private insist({ status, detail }: Outcome): void {
    if (status === 'applied' || status === 'already') return;
    throw new RebuildAbandoned(
      `generation ${this.keys.generation}, chunk ${this.chunk}: ${status} ${detail}`,
    );
  }
}
