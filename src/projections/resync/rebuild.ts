import { randomBytes, randomUUID } from 'node:crypto';
import { parseLogPosition } from '../../domain/log-position';
import type { Database } from '../../mysql/pool';
import { collect } from '../../read-model/collect';
import { releaseFence, takeFence } from '../../read-model/fence';
import type { Keys } from '../../read-model/keys';
import { promote } from '../../read-model/promote';
import type { Applying } from '../projector/apply-events';
import { catchUp } from '../projector/catch-up';
import { RecentHistory } from '../projector/recent-history';
import { ahead } from './ahead';
import { Builder } from './builder';
import { ResyncError } from './resync-error';
import { collecting, type ResyncDeps, type Work } from './resync-lease';
import { withSnapshot } from './snapshot';
import { verify, type Verification, type VerifyOptions } from './verify';

const PROMOTE_ATTEMPTS = 20;

export interface Rebuilt {
  keys: Keys;
  orders: number;
  verification: Verification;
  /** How long it took to fill the generation and to bring it up to date. */
  loadMs: number;
  verifyMs: number;
}

/**
 * Fills a new generation from one snapshot of MySQL, brings it up to date, verifies it, and promotes it. The old generation
 * answers meanwhile. Nothing is locked, and a builder may die at any moment: the next resync collects what it leaves.
 * @throws ResyncError
 */
export async function rebuild(deps: ResyncDeps, work: Work): Promise<Rebuilt> {
  const { redis, database } = deps;
  const keys = work.space.generation(randomBytes(4).toString('hex'));
  const applying = { redis, keys, history: new RecentHistory(database), signal: work.signal };
  try {
    const startedAt = performance.now();
    const orders = await fillFromSnapshot(deps, work, keys);
    work.progress({ phase: 'catching up' });
    await catchUp(applying, database, { onPage: () => work.progress({}) });
    const loadedAt = performance.now();
    work.progress({ phase: 'verifying', done: 0 });
    const verification = await verifyAndRepair(applying, database, work);
    const verifiedAt = performance.now();
    await goLive(deps, work, applying);
    const loadMs = Math.round(loadedAt - startedAt);
    const verifyMs = Math.round(verifiedAt - loadedAt);
    return { keys, orders, verification, loadMs, verifyMs };
  } catch (error) {
    // Best effort: what is left is collected by the next resync. A generation that went live is in use, and stays.
    await collect(redis, work.space, keys, {
      leaseToken: work.leaseToken,
      onProgress: () => undefined,
    }).catch(() => undefined);
    throw error;
  }
}

/** @returns how many orders there were. */
async function fillFromSnapshot({ redis, database }: ResyncDeps, work: Work, keys: Keys): Promise<number> {
  const builder = new Builder(redis, keys, work.signal);
  await builder.begin();
  return withSnapshot(database, work.signal, async (snapshot) => {
    if (!work.space.isOf(snapshot.head.logId))
      throw new ResyncError('failed', 'MySQL has another log by now');
    work.progress({ phase: 'loading', total: snapshot.head.live.order });
    let orders = 0;
    for await (const page of ahead(snapshot.pages())) {
      await builder.add(page);
      if (page[0]?.type === 'OrderCreated') orders += page.length;
      work.progress({ done: orders });
    }
    await builder.end(snapshot.head);
    return orders;
  });
}

/**
 * Promotes the new generation. It must not be behind the old one, to which others go on applying: where it does not catch up
 * by being faster, the fencing lock holds the old one still for the moment.
 */
async function goLive({ redis, database, live }: ResyncDeps, work: Work, applying: Applying): Promise<void> {
  const { keys, history } = applying;
  const { space } = work;
  const old = await live.refresh();
  const fenceToken = randomUUID();
  let isFenced = false;
  try {
    for (let attempt = 1; attempt <= PROMOTE_ATTEMPTS; attempt++) {
      await catchUp(applying, database, { onPage: () => work.progress({}) });
      const { status, detail } = await promote(redis, space, keys, old);
      if (status === 'promoted') {
        await live.refresh();
        return;
      }
      if (status !== 'behind' || old === undefined) {
        const why = `${status} ${detail}`;
        throw new ResyncError('failed', `generation ${keys.generation} cannot go live: ${why}`);
      }
      const at = parseLogPosition(detail);
      if (at !== undefined && (await history.held([at])).length > 0)
        isFenced = await takeFence(redis, old, fenceToken);
      // A position of another history means nothing to the new generation.
      else await collect(redis, space, old, { ...collecting(work), lostAt: detail });
    }
  } finally {
    // The lock expires by itself, and goes with the generation where that was replaced.
    if (old !== undefined && isFenced) await releaseFence(redis, old, fenceToken).catch(() => undefined);
  }
  throw new ResyncError('failed', `generation ${keys.generation} did not catch up with the live one`);
}

/** Compares a generation with MySQL and repairs what differs; brings it forward by itself where that is needed. */
export function verifyAndRepair(
  applying: Applying,
  database: Database,
  { progress, signal }: Work,
  onFinding?: VerifyOptions['onFinding'],
): Promise<Verification> {
  return verify(applying.redis, database, applying.keys, {
    repair: true,
    progress,
    signal,
    onFinding,
    async bringForward(_, fenceToken) {
      await catchUp({ ...applying, fenceToken }, database, { onPage: () => progress({}) });
    },
  });
}
