import type { Logger } from 'pino';
import { z } from 'zod';
import type { Database } from '../../mysql/pool';
import type { CollectOptions } from '../../read-model/collect';
import type { KeySpace } from '../../read-model/keys';
import type { LiveGeneration } from '../../read-model/live';
import type { Redis } from '../../redis/client';
import { Lease, readLeaseNote } from '../../redis/lease';
import { parseStored } from '../../redis/stored';
import { ResyncError } from './resync-error';
import type { OutOfBandChange } from './snapshot';
import type { Finding } from './verification-store';

const LOG_EVERY_MS = 3_000;

const workState = z.object({
  kind: z.enum(['rebuild', 'verify', 'repair']),
  phase: z.string(),
  done: z.number(),
  total: z.number(),
  startedAt: z.number(),
});

/** What a resync is doing, and how far it is; `done` and `total` count orders. */
export type WorkState = z.output<typeof workState>;

/** Told at every step of a resync; may throw to stop it. */
export type OnProgress = (update: Partial<Pick<WorkState, 'phase' | 'done' | 'total'>>) => void;

/** What every resync needs, and whom it tells. */
export interface ResyncDeps {
  redis: Redis;
  database: Database;
  live: LiveGeneration;
  /** Told every few seconds how far the work is. */
  log: Logger;
  /** Brings to the log what another program did; `nothing-to-do` where that was done already. */
  reconcile: (
    change: OutOfBandChange,
  ) => Promise<'reconciled' | 'nothing-to-do' | { irreconcilable: string }>;
  /** Told at every step, for progress bars; undefined at the end. */
  observe?: ((state: WorkState | undefined) => void) | undefined;
  onFinding?: ((finding: Finding) => void) | undefined;
  /** Ends the work at its next step; it leaves nothing half-done. */
  signal?: AbortSignal | undefined;
}

/** The keys of the log, whose id every read of the head tells. */
export function spaceOf({ live }: ResyncDeps): KeySpace {
  if (live.space === undefined) throw new ResyncError('no-model', 'MySQL was not asked yet which log it has');
  return live.space;
}

/** What `collect` needs of the work that it is a part of. */
export function collecting({ leaseToken, progress }: Work): CollectOptions {
  return { leaseToken, onProgress: () => progress({}) };
}

/** A resync that is under way. */
export interface Work {
  space: KeySpace;
  leaseToken: string;
  progress: OnProgress;
  /** Ends every wait. */
  signal: AbortSignal;
}

/**
 * Takes turns with other instances at resyncing, and tells everybody how far it is. The lease only saves double work: every
 * step of a resync is correct without it.
 * @throws ResyncError where another instance is at it.
 */
export async function withResyncLease<T>(
  deps: ResyncDeps,
  kind: WorkState['kind'],
  run: (work: Work) => Promise<T>,
): Promise<T> {
  const { redis, observe, log, signal } = deps;
  const space = spaceOf(deps);
  const report = reporter(kind, deps);
  const lease = await Lease.take(redis, space.lease, () => JSON.stringify(report.state));
  if (lease === undefined) {
    const other = await readWork(redis, space);
    throw new ResyncError('busy', `another instance is at it${other === undefined ? '' : ` (${other})`}`);
  }
  const progress: OnProgress = (update) => {
    lease.lost.throwIfAborted();
    report.progress(update);
  };
  try {
    const signals = signal === undefined ? [lease.lost] : [lease.lost, signal];
    return await run({ space, leaseToken: lease.token, progress, signal: AbortSignal.any(signals) });
  } finally {
    observe?.(undefined);
    await lease.release().catch((error: unknown) => {
      log.debug({ err: error }, 'could not give the resync lease back; it expires by itself');
    });
  }
}

/** As the progress of work under a lease, for work that needs none. */
export function reporter(
  kind: WorkState['kind'],
  { observe, log, signal }: ResyncDeps,
): { state: WorkState; progress: OnProgress } {
  const state: WorkState = { kind, phase: 'starting', done: 0, total: 0, startedAt: Date.now() };
  let loggedAt = performance.now();
  return {
    state,
    progress(update) {
      signal?.throwIfAborted();
      Object.assign(state, update);
      observe?.(state);
      if (performance.now() - loggedAt < LOG_EVERY_MS) return;
      loggedAt = performance.now();
      log.info(describeWork(state));
    },
  };
}

/** What some instance is doing at the moment, if any, and how far it is; for people. */
export async function readWork(redis: Redis, space: KeySpace): Promise<string | undefined> {
  const state = parseStored(await readLeaseNote(redis, space.lease), workState);
  return state && describeWork(state);
}

/** For people: `rebuild: loading, 41 % of 830 orders, 2,100 orders/s, 3 s left`. */
function describeWork({ kind, phase, done, total, startedAt }: WorkState): string {
  const seconds = (Date.now() - startedAt) / 1000;
  const rate = seconds > 0 ? done / seconds : 0;
  const share = total > 0 ? `, ${Math.floor((100 * done) / total)} % of ${total} orders` : '';
  const left = rate > 0 && total > done ? `, ${Math.ceil((total - done) / rate)} s left` : '';
  const speed = done > 0 ? `, ${Math.round(rate)} orders/s` : '';
  return `${kind}: ${phase}${share}${speed}${left}`;
}
