import { errorMessage } from '../../domain/errors';
import type { SubjectKind } from '../../domain/events';
import { Problem } from '../../domain/problems';
import { failureOf } from '../../mysql/failures';
import type { Keys } from '../../read-model/keys';
import { isOutOfMemory, isUnreachable } from '../../redis/client';
import { Loop } from '../../loop';
import { GenerationLost } from '../projector/generation-lost';
import type { LagStatus } from '../projector/lag';
import {
  afterLook,
  afterJob,
  initialState,
  isContested,
  nextTask,
  type Job,
  type Outcome,
  type ResyncState,
  type ResyncTimes,
} from './next-task';
import { runRebuild, runRepair } from './resync';
import { ResyncError } from './resync-error';
import { readWork, type ResyncDeps } from './resync-lease';

const TICK_MS = 1_000;
const MAX_TRIED = 1_000;
const MAX_UNKNOWN = 100;

export interface SupervisorOptions extends ResyncTimes {
  /** How far the projector is. */
  lag: () => LagStatus;
  /** Told to look at the log: something was appended or built. */
  nudge: () => void;
}

/**
 * Keeps a service's read model alive: rebuilds it when it is lost, verifies and repairs it at start and then on a schedule.
 * One thing at a time. What to do when is decided by `nextTask`.
 */
export class ResyncSupervisor {
  private state: ResyncState = initialState(performance.now());
  private loss: GenerationLost | undefined;
  /** Whether the last rebuild failed. */
  private hasFailed = false;
  private isStandingBack = false;
  /** What reports have shown of other programs' rows, to be reconciled. */
  private readonly unknown = new Map<string, { kind: SubjectKind; id: number }>();
  private readonly tried = new Set<string>();
  private readonly loop = new Loop((signal) => this.step(signal));

  constructor(
    private readonly deps: Omit<ResyncDeps, 'observe' | 'signal'>,
    private readonly options: SupervisorOptions,
  ) {}

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Verifies at the next occasion: something is known to be wrong. */
  verifySoon(): void {
    this.state = { ...this.state, verifyDueAt: Math.min(this.state.verifyDueAt, performance.now()) };
    this.loop.wake();
  }

  /**
   * Told that a report shows somebody without a name: another program has inserted that row, and the log need not wait for
   * the next verification to say so. Asked for once, since there may be nothing to say.
   */
  reconcileSoon(subject: { kind: SubjectKind; id: number }): void {
    const key = `${subject.kind} ${subject.id}`;
    if (this.tried.has(key) || this.unknown.size >= MAX_UNKNOWN) return;
    if (this.tried.size >= MAX_TRIED) this.tried.clear();
    this.tried.add(key);
    this.unknown.set(key, subject);
    this.loop.wake();
  }

  /** The projector found no live generation, or one that cannot be kept up; it says so again until that has changed. */
  lost(loss: GenerationLost | undefined, isOwn: boolean): void {
    const model = loss?.reason ?? 'none';
    const isNew = loss?.keys.generation !== this.loss?.keys.generation;
    // A checkpoint where this process saw it last is of its own history: MySQL has gone back in time. Any other one was
    // probably set by a service that has another history.
    let { divergedAt } = this.state;
    if (model === 'diverged' && isNew && !isOwn) divergedAt = [...divergedAt.slice(-1), performance.now()];
    // Nobody else's model is there, for example because the log has an id of its own now.
    if (model === 'none') divergedAt = [];
    this.loss = loss;
    this.state = { ...this.state, model, divergedAt };
    this.loop.wake();
  }

  /** Whether a generation is known to be lost: nobody reads it from then on, even where it cannot be rebuilt yet. */
  isLost(keys: Keys): boolean {
    return this.state.model !== 'live' && this.loss?.keys.generation === keys.generation;
  }

  /** For a client that finds no read model: what comes next. */
  async whyThereIsNone(): Promise<Problem> {
    const { redis, live } = this.deps;
    const now = performance.now();
    if (isContested(this.state, now)) {
      return new Problem('read-model-diverged', CONTESTED, { retryAfterSeconds: 60 });
    }
    const work = live.space === undefined ? undefined : await readWork(redis, live.space);
    const detail = work === undefined ? this.outlook(now) : `${work}.`;
    return new Problem('read-model-building', detail, { retryAfterSeconds: 2 });
  }

  private outlook(now: number): string {
    const seconds = Math.ceil((this.state.rebuildNotBefore - now) / 1000);
    if (!this.hasFailed || seconds <= 0) return 'A build is about to begin.';
    return `The last build failed, and the log of the service says why; the next one begins in ${seconds} s.`;
  }

  private async step(signal: AbortSignal): Promise<number> {
    this.state = afterLook(this.state, this.options.lag());
    const task = nextTask(this.state, performance.now());
    this.standBack(task.kind === 'stand-back');
    if (task.kind === 'wait' && this.unknown.size > 0) return this.reconcileOne();
    if (task.kind === 'wait' || task.kind === 'stand-back') return TICK_MS;
    const { outcome, unrepaired } = await this.run(task, { ...this.deps, signal });
    if (signal.aborted) return 0;
    this.state = afterJob(this.state, task, outcome, performance.now(), this.options, unrepaired);
    this.options.nudge();
    return 0;
  }

  /** @returns how long to pause. */
  private async reconcileOne(): Promise<number> {
    const [[key, subject] = []] = this.unknown;
    if (key === undefined || subject === undefined) return TICK_MS;
    this.unknown.delete(key);
    try {
      await this.deps.reconcile(subject);
      return 0;
    } catch (error) {
      // Asked for again by the next report, and found by the next verification, too.
      this.tried.delete(key);
      this.deps.log.debug({ err: error, subject }, 'could not reconcile what a report has shown');
      return TICK_MS;
    }
  }

  private async run(job: Job, deps: ResyncDeps): Promise<{ outcome: Outcome; unrepaired: number }> {
    try {
      if (job.kind === 'verify') {
        const { drift, repaired } = await runRepair(deps);
        return { outcome: 'done', unrepaired: drift - repaired };
      }
      await this.rebuild(job.because, deps);
      return { outcome: 'done', unrepaired: 0 };
    } catch (error) {
      const outcome = outcomeOf(error);
      if (deps.signal?.aborted !== true) this.say(job, outcome, error);
      return { outcome, unrepaired: 0 };
    }
  }

  private async rebuild(because: 'lost' | 'drift' | 'lag', deps: ResyncDeps): Promise<void> {
    const { log } = deps;
    const { lagEvents, orders, unrepaired } = this.state;
    if (because === 'lag')
      log.warn(
        { lagEvents, orders },
        'reading on would take longer than building a new read model: building it',
      );
    else if (because === 'drift')
      log.warn({ unrepaired }, 'drift is left: building a new read model beside the live one');
    else if (this.loss === undefined) log.info('there is no read model: building it from MySQL');
    else
      log.warn(
        { reason: this.loss.reason },
        `${this.loss.message}: building a new one; reports answer 503 until it is live`,
      );
    const isStillLost = async () => (await deps.live.refresh())?.generation === this.loss?.keys.generation;
    // Another instance may have replaced it already.
    if (because === 'lost' && !(await isStillLost())) return;
    await runRebuild(deps, because === 'lost' ? this.loss : undefined);
    this.hasFailed = false;
  }

  private say(job: Job, outcome: Outcome, error: unknown): void {
    const { log } = this.deps;
    if (job.kind === 'rebuild') this.hasFailed = true;
    if (outcome === 'busy' || outcome === 'no-model') log.debug(`no ${job.kind} now: ${errorMessage(error)}`);
    else log.error({ err: error, task: job }, `a ${job.kind} failed; it is tried again`);
  }

  private standBack(contested: boolean): void {
    if (contested && !this.isStandingBack) this.deps.log.error(CONTESTED);
    this.isStandingBack = contested;
  }
}

const CONTESTED =
  'The read model diverged from MySQL twice within a minute: another service with a copy of this database seems to use the ' +
  'same Redis. This service stops rebuilding for ten minutes. Give one of them another REDIS_PREFIX, or run ' +
  '`tally new-log-id` on the copy.';

function outcomeOf(error: unknown): Outcome {
  if (error instanceof ResyncError) return error.outcome;
  // The projector says what is lost, and calls for a rebuild.
  if (error instanceof GenerationLost) return 'no-model';
  const isAway = isOutOfMemory(error) || isUnreachable(error) || failureOf(error) === 'unreachable';
  return isAway ? 'unavailable' : 'failed';
}
