import type { Logger } from 'pino';
import { collect } from '../../read-model/collect';
import type { Keys } from '../../read-model/keys';
import type { LiveGeneration } from '../../read-model/live';
import { scan } from '../../read-model/scan';
import { catchUp } from '../projector/catch-up';
import type { GenerationLost } from '../projector/generation-lost';
import { RecentHistory } from '../projector/recent-history';
import { rebuild, verifyAndRepair, type Rebuilt } from './rebuild';
import { ResyncError } from './resync-error';
import { collecting, withResyncLease, type ResyncDeps, type Work } from './resync-lease';
import type { OutOfBandChange } from './snapshot';
import { saveVerification, summaryOf, type Finding, type StoredVerification } from './verification-store';
import { MAX_FINDINGS } from './verify';

/**
 * A blue/green rebuild: builds a new generation beside the live one, verifies it, and promotes it.
 * @param lost the live generation, where it cannot be kept up any more: it is collected first, so that nobody reads it and
 * it does not take the memory that the new one needs.
 * @throws ResyncError
 */
export async function runRebuild(
  deps: ResyncDeps,
  lost?: GenerationLost,
): Promise<Rebuilt & { reconciled: number }> {
  return withResyncLease(deps, 'rebuild', async (work) => {
    const { redis, log } = deps;
    if (lost !== undefined)
      await collect(redis, work.space, lost.keys, { ...collecting(work), lostAt: lost.at });
    await collectUnused(deps, work);
    const startedAt = Date.now();
    const rebuilt = await rebuild(deps, work);
    const { keys, orders, verification, loadMs, verifyMs } = rebuilt;
    const { drift, findings } = verification;
    if (drift > 0)
      log.error({ drift, findings }, 'a freshly built read model differed from MySQL and was repaired');
    const reconciled = await reconcileAll(deps, verification.outOfBand, work);
    const found = summaryOf(verification, { reconciled, startedAt, finishedAt: Date.now() });
    await saveVerification(redis, work.space, found);
    log.info(
      { generation: keys.generation, orders, reconciled, loadMs, verifyMs },
      'the read model was rebuilt and is live',
    );
    await collectUnused(deps, work);
    return { ...rebuilt, reconciled };
  });
}

/**
 * Compares the live generation with MySQL, repairs what differs, and reconciles what other programs changed.
 * @throws ResyncError, GenerationLost
 */
export async function runRepair(deps: ResyncDeps): Promise<StoredVerification> {
  return withResyncLease(deps, 'repair', async (work) => {
    const { redis, database, live, log } = deps;
    const keys = await liveKeys(live);
    const startedAt = Date.now();
    const applying = { redis, keys, history: new RecentHistory(database), signal: work.signal };
    const verification = await verifyAndRepair(applying, database, work, findingReporter(deps));
    const reconciled = await reconcileAll(deps, verification.outOfBand, work);
    // Whoever repairs by hand looks at the reports next.
    if (reconciled > 0) await catchUp(applying, database);
    const found = summaryOf(verification, { reconciled, startedAt, finishedAt: Date.now() });
    await saveVerification(redis, work.space, found);
    logVerification(log, found);
    await collectUnused(deps, work);
    return found;
  });
}

/** Collects what the pointer does not name: builds that died, and generations that were replaced. */
async function collectUnused({ redis }: ResyncDeps, work: Work): Promise<void> {
  const { space } = work;
  work.progress({ phase: 'removing old read models' });
  const generations = new Set<string>();
  for await (const key of scan(redis, space.pattern)) {
    const generation = space.generationOf(key);
    if (generation !== undefined) generations.add(generation);
  }
  for (const generation of generations) {
    await collect(redis, space, space.generation(generation), collecting(work));
  }
}

/** @throws ResyncError where there is none. */
export async function liveKeys(live: LiveGeneration): Promise<Keys> {
  const keys = await live.refresh();
  if (keys === undefined) throw new ResyncError('no-model', 'there is no read model to verify');
  return keys;
}

/** Tells of findings; a model that is wrong everywhere must not flood the log. */
export function findingReporter({ log, onFinding }: ResyncDeps): (finding: Finding) => void {
  let found = 0;
  return (finding) => {
    found += 1;
    if (found <= MAX_FINDINGS) log.warn({ finding }, 'a key of the read model was not what MySQL says');
    onFinding?.(finding);
  };
}

function logVerification(log: Logger, { findings, ...figures }: StoredVerification): void {
  if (figures.drift === 0 && figures.out_of_band === 0)
    log.info(figures, 'the read model was verified: it is what MySQL says');
  else
    log.warn(
      { ...figures, findings: findings.length },
      'the read model was verified and differed from MySQL',
    );
}

/** @returns how many changes the log says now that it did not say before. */
async function reconcileAll(deps: ResyncDeps, changes: OutOfBandChange[], work: Work): Promise<number> {
  if (changes.length === 0) return 0;
  let reconciled = 0;
  for (const change of changes) {
    work.progress({ phase: 'reconciling what other programs changed' });
    try {
      const { irreconcilable } = change;
      const outcome = irreconcilable === undefined ? await deps.reconcile(change) : { irreconcilable };
      if (outcome === 'reconciled') reconciled += 1;
      if (typeof outcome === 'object')
        deps.log.error(
          { ...change, ...outcome },
          'a row of another program cannot be reconciled, and the reports keep what the log says: correct it in MySQL, or delete it',
        );
    } catch (error) {
      // The next verification tries it again.
      deps.log.error({ err: error, change }, 'could not reconcile what another program changed in MySQL');
    }
  }
  deps.log.warn({ found: changes.length, reconciled }, 'reconciled what other programs changed in MySQL');
  return reconciled;
}
