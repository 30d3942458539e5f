import { randomBytes, randomUUID } from 'node:crypto';
import { parseTip, type TallyEvent } from '../../domain/events';
import type { Database } from '../../mysql/pool';
import { readAfter } from '../../mysql/log';
import { Keys } from '../../read-model/keys';
import type { LiveGeneration } from '../../read-model/live';
import { flip, takeLock, type ScriptedRedis } from '../../read-model/scripts';
import { ahead } from './ahead';
import { catchUp } from '../projector/applier';
import { Builder, RebuildAbandoned } from './builder';
import { discard, KEEPER_TTL_MS, retire } from './generations';
import { tipOfHead, withSnapshot } from './snapshot';
import { verify, type Verification } from './verify';
import type { Work } from './work';

const FLIP_ATTEMPTS = 20;
const FENCE_TTL_MS = 2000;

export interface Rebuilt {
  keys: Keys;
  orders: number;
  verification: Verification;
  /** How long it took to fill the generation and to bring it up to date. */
  loadMs: number;
  verifyMs: number;
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
    const startedAt = performance.now();
    const orders = await fillFromSnapshot(database, builder, work);
    await work.progress({ phase: 'catching up' });
    await catchUp(redis, database, keys, { onProgress: () => work.progress({}) });
    const loadedAt = performance.now();
    await work.progress({ phase: 'verifying', done: 0 });
    const verification = await verify(redis, database, keys, { repair: true, work });
    const verifiedAt = performance.now();
    await goLive(redis, database, live, keys, work);
    const loadMs = Math.round(loadedAt - startedAt);
    const verifyMs = Math.round(verifiedAt - loadedAt);
    return { keys, orders, verification, loadMs, verifyMs };
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
    for await (const page of ahead(snapshot.orders())) {
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
