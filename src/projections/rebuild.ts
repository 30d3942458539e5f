import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseTip, type TallyEvent, type Tip } from '../events';
import type { Database } from '../mysql/database';
import { readAfter } from '../mysql/log';
import { Changes } from '../read-model/changes';
import { Keys } from '../read-model/keys';
import type { LiveGeneration } from '../read-model/live';
import { fill, finish, flip, takeLock, type Outcome, type ScriptedRedis } from '../read-model/scripts';
import { catchUp } from './applier';
import { discard, KEEPER_TTL_MS, retire } from './generations';
import { project } from './project';
import { tipOfHead, withSnapshot } from './snapshot';
import { verify, type Verification } from './verify';
import type { Work } from './work';

/** Holds Redis for about 2.5 ms. */
const MAX_OPERATIONS = 500;
const FLIP_ATTEMPTS = 20;
const FENCE_TTL_MS = 2000;
const OOM_ATTEMPTS = 5;
const OOM_PAUSE_MS = 1000;

/** The build was overtaken or lost its ground: Redis lost something, or another builder was faster. */
export class RebuildAbandoned extends Error {
  override readonly name = 'RebuildAbandoned';
}

export interface Rebuilt {
  keys: Keys;
  orders: number;
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
    const orders = await fillFromSnapshot(database, builder, work);
    await work.progress({ phase: 'catching up' });
    await catchUp(redis, database, keys, { onProgress: () => work.progress({}) });
    await work.progress({ phase: 'verifying', done: 0 });
    const verification = await verify(redis, database, keys, { repair: true, work });
    await goLive(redis, database, live, keys, work);
    return { keys, orders, verification };
  } catch (error) {
    // Best effort: what is left is collected when the builder's sign of life has expired.
    await discardUnlessLive(redis, live, keys).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(alive);
  }
}

/** @returns how many orders there were. */
async function fillFromSnapshot(database: Database, builder: Builder, work: Work): Promise<number> {
  return withSnapshot(database, async (snapshot) => {
    await work.progress({ phase: 'loading', total: snapshot.head.ordersLive });
    for await (const events of snapshot.catalogue()) await builder.add(events);
    let done = 0;
    for await (const page of snapshot.orders()) {
      await builder.add(page.map((order): TallyEvent => ({ type: 'OrderCreated', order })));
      done += page.length;
      await work.progress({ done });
    }
    await builder.end(tipOfHead(snapshot.head));
    return done;
  });
}

/**
 * Flips the pointer. The new generation must not be behind the old one, to which others go on applying: where it does not
 * catch up by being faster, a fence holds the old one still for the moment.
 */
async function goLive(
  redis: ScriptedRedis,
  database: Database,
  live: LiveGeneration,
  keys: Keys,
  work: Work,
): Promise<void> {
  const old = await live.refresh();
  const token = randomUUID();
  try {
    for (let attempt = 1; attempt <= FLIP_ATTEMPTS; attempt++) {
      await catchUp(redis, database, keys, { onProgress: () => work.progress({}) });
      const { status, detail } = await flip(redis, keys, old);
      if (status === 'applied' || status === 'already') {
        await live.refresh();
        if (old !== undefined) await retire(redis, old);
        return;
      }
      if (status !== 'behind' || old === undefined) {
        throw new RebuildAbandoned(`generation ${keys.generation} cannot go live: ${status} ${detail}`);
      }
      if (await isForeign(database, detail)) await redis.del(old.applied);
      else await takeLock(redis, old.fence, token, FENCE_TTL_MS);
    }
  } finally {
    if (old !== undefined) await redis.tallyReleaseIfMine(old.fence, token);
  }
  throw new RebuildAbandoned(`generation ${keys.generation} did not catch up with the live one`);
}

/** The answer to a flip may have been lost: then the generation is live, and must stay. */
async function discardUnlessLive(redis: ScriptedRedis, live: LiveGeneration, keys: Keys): Promise<void> {
  if ((await live.refresh())?.generation !== keys.generation) await discard(redis, keys);
}

/** Whether a tip is of another history than the log, which means nothing to a new generation. */
async function isForeign(database: Database, applied: string): Promise<boolean> {
  const tip = parseTip(applied);
  if (tip === undefined) return true;
  return (await database.session((session) => readAfter(session, tip, 1))).kind === 'foreign';
}

/** Writes a generation chunk by chunk, each chained to the one before. */
class Builder {
  private readonly token = randomUUID();
  private changes = new Changes();
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
      this.changes.add(project(this.keys, event));
      if (this.changes.size >= MAX_OPERATIONS) await this.flush();
    }
  }

  async end(tip: Tip): Promise<void> {
    await this.flush();
    this.insist(await finish(this.redis, this.keys, this.token, this.chunk, tip));
  }

  private async flush(): Promise<void> {
    const { changes } = this;
    this.changes = new Changes();
    for (let attempt = 1; ; attempt++) {
      const outcome = await fill(this.redis, this.keys, this.token, this.chunk, changes);
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
