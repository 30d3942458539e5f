import type { LagStatus } from '../projector/lag';

/** What the supervisor knows. All times are those of `performance.now()`, which no change of the clock moves. */
export interface ResyncState {
  /** Whether a generation is live that can be kept up, as the projector says. */
  model: 'live' | 'none' | 'missing' | 'diverged' | 'broken';
  verifyDueAt: number;
  /** No rebuild of a lost model before this. */
  rebuildNotBefore: number;
  failedRebuilds: number;
  /** When the model was last found to be of a history that is not this process's own; the newest last. */
  divergedAt: number[];
  /** Keys that a verification could not repair, because the model moved on too fast. */
  unrepaired: number;
  driftRebuildNotBefore: number;
  /** How far the live generation is behind; 0 where nothing is live. */
  lagEvents: number;
  orders: number;
}

export type Job = { kind: 'rebuild'; because: 'lost' | 'drift' | 'lag' } | { kind: 'verify' };

export type Task =
  | Job
  /** Two services with copies of one database rebuild each other's model: this one stops. */
  | { kind: 'stand-back' }
  | { kind: 'wait' };

/** How a job ended. `unavailable`: MySQL or Redis cannot be reached, or Redis has no memory. `busy`: another instance is at it. */
export type Outcome = 'done' | 'failed' | 'unavailable' | 'busy' | 'no-model';

export interface ResyncTimes {
  /** 0: only at start. */
  verifyIntervalMs: number;
  rebuildMinIntervalMs: number;
}

/** What retries of a verification and of a rebuild wait for first. */
const RETRY_MS = 1_000;
const RETRY_VERIFY_MS = 5_000;
/** A verification that failed for a reason of its own will fail again. */
const FAILED_VERIFY_MS = 60_000;
const MAX_BACKOFF_MS = 30_000;
/** Two divergences within this time are no coincidence. */
const DIVERGED_WITHIN_MS = 60_000;
/** So long a service stands back that shares its Redis with a copy of its database. */
const STAND_BACK_MS = 10 * 60_000;
/**
 * Reading on takes about four times as long for an event as a rebuild with its verification takes for an order. So beyond a
 * quarter of the orders, and a part that pays for beginning anew, the rebuild is done first.
 */
const LAG_SHARE = 0.25;
const LAG_EVENTS = 50_000;

export function initialState(now: number): ResyncState {
  return {
    model: 'live',
    verifyDueAt: now,
    rebuildNotBefore: now,
    failedRebuilds: 0,
    divergedAt: [],
    unrepaired: 0,
    driftRebuildNotBefore: now,
    lagEvents: 0,
    orders: 0,
  };
}

/** Pure: what to do now. A lost model comes first, because reports answer 503 until it is back. */
export function nextTask(state: ResyncState, now: number): Task {
  if (state.model !== 'live') {
    if (isContested(state, now)) return { kind: 'stand-back' };
    return now < state.rebuildNotBefore ? { kind: 'wait' } : { kind: 'rebuild', because: 'lost' };
  }
  if (now >= state.rebuildNotBefore && state.lagEvents > LAG_EVENTS + LAG_SHARE * state.orders) {
    return { kind: 'rebuild', because: 'lag' };
  }
  if (state.unrepaired > 0 && now >= state.driftRebuildNotBefore)
    return { kind: 'rebuild', because: 'drift' };
  if (now >= state.verifyDueAt) return { kind: 'verify' };
  return { kind: 'wait' };
}

/** Whether another service with a copy of this database seems to rebuild the same model. */
export function isContested({ divergedAt }: ResyncState, now: number): boolean {
  const [before, last] = divergedAt.slice(-2);
  if (before === undefined || last === undefined) return false;
  return last - before < DIVERGED_WITHIN_MS && now - last < STAND_BACK_MS;
}

/** Pure: what the supervisor knows after a look at the projector. */
export function afterLook(
  state: ResyncState,
  { applied, lagEvents, orders, stalled }: Pick<LagStatus, 'applied' | 'lagEvents' | 'orders' | 'stalled'>,
): ResyncState {
  return {
    ...state,
    // Another instance may have rebuilt it.
    model: stalled === undefined ? 'live' : state.model,
    // A projector that has not applied anything yet says nothing about how far the model is.
    lagEvents: applied === undefined ? 0 : lagEvents,
    orders,
  };
}

/** Pure: what the supervisor knows after a job. @param unrepaired what a verification left. */
export function afterJob(
  state: ResyncState,
  job: Job,
  outcome: Outcome,
  now: number,
  times: ResyncTimes,
  unrepaired = 0,
): ResyncState {
  if (job.kind === 'rebuild') return afterRebuild(state, job.because, outcome, now, times);
  // Without a model the projector calls for a rebuild, which verifies it.
  if (outcome === 'failed') return { ...state, verifyDueAt: now + FAILED_VERIFY_MS };
  if (outcome !== 'done') return { ...state, verifyDueAt: now + RETRY_VERIFY_MS };
  return { ...state, ...verified(now, times), unrepaired };
}

function afterRebuild(
  state: ResyncState,
  because: 'lost' | 'drift' | 'lag',
  outcome: Outcome,
  now: number,
  times: ResyncTimes,
): ResyncState {
  const next =
    because === 'drift' ? { ...state, driftRebuildNotBefore: now + times.rebuildMinIntervalMs } : state;
  switch (outcome) {
    case 'done':
      return {
        ...next,
        ...verified(now, times),
        model: 'live',
        failedRebuilds: 0,
        unrepaired: 0,
        lagEvents: 0,
      };
    case 'busy':
    case 'unavailable':
    case 'no-model':
      // Nothing was wrong with the rebuild: it goes on as soon as it can.
      return { ...next, rebuildNotBefore: now + RETRY_MS };
    case 'failed': {
      const backOffMs = Math.min(MAX_BACKOFF_MS, RETRY_MS * 2 ** state.failedRebuilds);
      return { ...next, failedRebuilds: state.failedRebuilds + 1, rebuildNotBefore: now + backOffMs };
    }
  }
}

function verified(now: number, { verifyIntervalMs }: ResyncTimes): Pick<ResyncState, 'verifyDueAt'> {
  return { verifyDueAt: verifyIntervalMs === 0 ? Infinity : now + verifyIntervalMs };
}
