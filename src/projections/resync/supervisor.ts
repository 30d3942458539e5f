import type { Logger } from 'pino';
import { errorMessage } from '../../domain/problems';
import type { Database } from '../../mysql/pool';
import type { Keys } from '../../read-model/keys';
import type { LiveGeneration } from '../../read-model/live';
import type { ScriptedRedis } from '../../read-model/scripts';
import { GenerationLost } from '../projector/applier';
import { collectGarbage, discard, keepServing } from './generations';
import { rebuild, type Rebuilt } from './rebuild';
import { saveVerification, type StoredVerification } from './verification-store';
import type { Unadopted } from './snapshot';
import { MAX_FINDINGS, verify, type Finding, type Verification } from './verify';
import { describeWork, readWork, Work, type WorkState } from './work';

const MAX_REBUILDS_IN_A_ROW = 3;
const REBUILD_BACKOFF_MS = 1000;
/** After three rebuilds in a row have failed, they stop for this long. */
const GIVE_UP_MS = 60_000;

export interface ResyncDeps {
  redis: ScriptedRedis;
  database: Database;
  /** Tells the log what another program did; false where that was done already. */
  adopt: (subject: Unadopted) => Promise<boolean>;
  live: LiveGeneration;
  log: Logger;
  /** Told what is going on, for `GET /read-model` and progress bars; undefined when nothing is. */
  observe?: (state: WorkState | undefined) => void;
  onFinding?: (finding: Finding) => void;
  /** Ends the resync at its next step; it leaves nothing half-done. */
  signal?: AbortSignal;
}

/** Another instance is resyncing at this moment. */
export class ResyncBusy extends Error {
  override readonly name = 'ResyncBusy';
}

/** There is no complete read model that could be verified. */
export class NoReadModel extends Error {
  override readonly name = 'NoReadModel';
}

/**
 * Builds a new generation beside the live one and puts it in its place; verified before anybody reads it.
 * @throws ResyncBusy, RebuildAbandoned
 */
export async function runRebuild(deps: ResyncDeps): Promise<Rebuilt & { adopted: number }> {
  return withWork(deps, 'rebuild', (work) => rebuildAndAdopt(deps, work));
}

/** As `runRebuild`, unless another instance has replaced the lost generation (undefined: there was none) already. */
async function replaceLost(deps: ResyncDeps, lost: Keys | undefined): Promise<void> {
  const { redis, live } = deps;
  const isStillLost = async () => (await live.refresh())?.generation === lost?.generation;
  // What belongs to another history, or is half-applied, must not be read any longer, whoever rebuilds it; and it must
  // not take the memory that the new one needs.
  if (lost !== undefined && (await isStillLost())) await discard(redis, lost);
  await collectGarbage(redis, live.prefix);
  await withWork(deps, 'rebuild', async (work) => {
    if (await isStillLost()) await rebuildAndAdopt(deps, work);
  });
}

async function rebuildAndAdopt(deps: ResyncDeps, work: Work): Promise<Rebuilt & { adopted: number }> {
  const { redis, database, live, log } = deps;
  const startedAt = Date.now();
  const rebuilt = await rebuild(redis, database, live, work);
  const { keys, orders, verification, loadMs, verifyMs } = rebuilt;
  const { drift, findings, unadopted } = verification;
  if (drift > 0)
    log.error({ drift, findings }, 'a freshly built read model differed from MySQL and was repaired');
  const adopted = await adoptAll(deps, unadopted, work);
  await saveVerification(redis, live.prefix, { ...verification, adopted, startedAt });
  log.info(
    { generation: keys.generation, orders, adopted, loadMs, verifyMs },
    'the read model was rebuilt and is live',
  );
  await removeOld(deps, work);
  return { ...rebuilt, adopted };
}

async function removeOld({ redis, live }: ResyncDeps, work: Work): Promise<void> {
  await work.progress({ phase: 'removing old read models' });
  await collectGarbage(redis, live.prefix, () => work.progress({}));
}

/**
 * Compares the live generation with MySQL; with `repair`, mends what differs and adopts what other programs changed.
 * @throws ResyncBusy, NoReadModel, GenerationLost
 */
export async function runVerify(deps: ResyncDeps, options: { repair: boolean }): Promise<StoredVerification> {
  const kind = options.repair ? 'repair' : 'verify';
  return withWork(deps, kind, async (work) => {
    const { redis, database, live, log, onFinding } = deps;
    const keys = await live.refresh();
    if (keys === undefined) throw new NoReadModel('there is no read model to verify');
    const startedAt = Date.now();
    let found = 0;
    const report = (finding: Finding) => {
      // A model that is wrong everywhere must not flood the log.
      if (++found <= MAX_FINDINGS) log.warn({ finding }, 'a key of the read model was not what MySQL says');
      onFinding?.(finding);
    };
    const verification = await verify(redis, database, keys, {
      repair: options.repair,
      work,
      onFinding: report,
    });
    const adopted = options.repair ? await adoptAll(deps, verification.unadopted, work) : 0;
    const stored = await saveVerification(redis, live.prefix, { ...verification, adopted, startedAt });
    logVerification(log, verification, adopted, Date.now() - startedAt);
    if (options.repair) await removeOld(deps, work);
    return stored;
  });
}

function logVerification(log: Logger, verification: Verification, adopted: number, ms: number): void {
  const { generation, position, orders, drift, repaired, unadopted } = verification;
  const figures = { generation, position, orders, drift, repaired, unadopted: unadopted.length, adopted, ms };
  if (drift === 0 && unadopted.length === 0)
    log.info(figures, 'the read model was verified: it is what MySQL says');
  else log.warn(figures, 'the read model was verified and differed from MySQL');
}

async function adoptAll(deps: ResyncDeps, subjects: Unadopted[], work: Work): Promise<number> {
  if (subjects.length === 0) return 0;
  let adopted = 0;
  for (const subject of subjects) {
    await work.progress({ phase: 'adopting what other programs changed' });
    try {
      if (await deps.adopt(subject)) adopted += 1;
    } catch (error) {
      // One row that another program has locked must not keep the rest out; the next verification tries it again.
      deps.log.error({ err: error, subject }, 'could not adopt what another program changed in MySQL');
    }
  }
  deps.log.warn({ found: subjects.length, adopted }, 'adopted what other programs changed in MySQL');
  return adopted;
}

async function withWork<T>(
  deps: ResyncDeps,
  kind: WorkState['kind'],
  run: (work: Work) => Promise<T>,
): Promise<T> {
  const { redis, live } = deps;
  const work = await Work.begin(redis, live.prefix, kind, deps);
  if (work === undefined) {
    const other = await readWork(redis, live.prefix);
    throw new ResyncBusy(
      `another instance is at it${other === undefined ? '' : ` (${describeWork(other)})`}`,
    );
  }
  try {
    return await run(work);
  } finally {
    await work.end().catch((error: unknown) => {
      deps.log.debug({ err: error }, 'could not give the resync lock back; it expires by itself');
    });
  }
}

export interface SupervisorOptions {
  /** 0: only at start. */
  verifyIntervalMs: number;
  rebuildMinIntervalMs: number;
  /** Told to look at the log: something was appended or built. */
  nudge: () => void;
}

const TICK_MS = 1000;
const RETRY_VERIFY_MS = 5000;
/** Often, for a sign of life that lasts an hour. */
const SERVING_EVERY_MS = 60_000;

/**
 * Keeps a service's read model alive: rebuilds it when it is lost, verifies and repairs it at start and then on a
 * schedule. One thing at a time. Its times are those of `performance.now()`, which no change of the clock moves.
 */
export class ResyncSupervisor {
  private running: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  private ticker: NodeJS.Timeout | undefined;
  private verifyDueAt = 0;
  private servingDueAt = 0;
  private failedRebuilds = 0;
  private rebuildNotBefore = 0;
  private lastDriftRebuildAt = -Infinity;
  /** Why the last rebuild failed, until one succeeds. */
  private failure: string | undefined;

  constructor(
    private readonly deps: Omit<ResyncDeps, 'observe' | 'signal'>,
    private readonly options: SupervisorOptions,
  ) {}

  /** For a client who finds no read model while nobody is building one: what comes next. */
  outlook(): string {
    const seconds = Math.ceil((this.rebuildNotBefore - performance.now()) / 1000);
    if (this.failure === undefined || seconds <= 0) return 'A build is about to begin.';
    return `The last build failed (${this.failure}); the next one begins in ${seconds} s.`;
  }

  /** Verifies at the next occasion: something is known to be wrong. */
  verifySoon(): void {
    this.verifyDueAt = Math.min(this.verifyDueAt, performance.now() + RETRY_VERIFY_MS);
  }

  start(): void {
    const verifyWhenDue = () => {
      if (performance.now() >= this.verifyDueAt) this.begin(() => this.verifyAndRepair());
    };
    const tick = () => {
      verifyWhenDue();
      this.sayThatWeServe();
    };
    tick();
    this.ticker = setInterval(tick, TICK_MS);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    clearInterval(this.ticker);
    await this.running;
  }

  /** The projector found no live generation, or one that cannot be kept up; it says so again until that has changed. */
  lost(loss: GenerationLost | undefined): void {
    if (performance.now() >= this.rebuildNotBefore) this.begin(() => this.rebuildLost(loss));
  }

  private sayThatWeServe(): void {
    if (performance.now() < this.servingDueAt) return;
    this.servingDueAt = performance.now() + SERVING_EVERY_MS;
    keepServing(this.deps.redis, this.deps.live.prefix).catch(() => {
      this.servingDueAt = 0; // Redis is away: again at the next tick
    });
  }

  private begin(task: () => Promise<void>): void {
    if (this.running !== undefined || this.stopping.signal.aborted) return;
    this.running = task()
      .catch((error: unknown) => {
        if (this.stopping.signal.aborted) return;
        this.deps.log.error({ err: error }, 'a resync failed; it is tried again');
      })
      .finally(() => {
        this.running = undefined;
        this.options.nudge();
      });
  }

  private async rebuildLost(loss: GenerationLost | undefined): Promise<void> {
    const { log } = this.deps;
    if (loss === undefined) log.info('there is no read model: building it from MySQL');
    else
      log.warn(
        { reason: loss.reason },
        `${loss.message}: building a new one; reports answer 503 until it is live`,
      );
    try {
      await replaceLost(this.stoppable(), loss?.keys);
      this.failedRebuilds = 0;
      this.failure = undefined;
      this.verified(); // by the rebuild itself
    } catch (error) {
      if (error instanceof ResyncBusy) {
        this.rebuildNotBefore = performance.now() + REBUILD_BACKOFF_MS;
        return;
      }
      if (this.stopping.signal.aborted) return;
      this.failedRebuilds += 1;
      this.failure = errorMessage(error);
      const inARow = this.failedRebuilds % MAX_REBUILDS_IN_A_ROW;
      const pauseMs = inARow === 0 ? GIVE_UP_MS : REBUILD_BACKOFF_MS * 2 ** inARow;
      this.rebuildNotBefore = performance.now() + pauseMs;
      log.error(
        { err: error, failures: this.failedRebuilds, pauseMs },
        'a rebuild failed; it is tried again after a pause',
      );
    }
  }

  private async verifyAndRepair(): Promise<void> {
    this.verifyDueAt = performance.now() + RETRY_VERIFY_MS;
    try {
      const verification = await runVerify(this.stoppable(), { repair: true });
      this.verified();
      const unrepaired = verification.drift - verification.repaired;
      if (unrepaired > 0) await this.rebuildDrifted(unrepaired);
    } catch (error) {
      // Without a model, or with a lost one, the projector calls for a rebuild.
      const noModel = error instanceof NoReadModel || error instanceof GenerationLost;
      if (!noModel && !(error instanceof ResyncBusy)) throw error;
      this.deps.log.debug(`not verifying now: ${errorMessage(error)}`);
    }
  }

  private verified(): void {
    const { verifyIntervalMs } = this.options;
    this.verifyDueAt = verifyIntervalMs === 0 ? Infinity : performance.now() + verifyIntervalMs;
  }

  /** What could not be mended key by key, because the model moved on too fast, is answered by a new generation. */
  private async rebuildDrifted(unrepaired: number): Promise<void> {
    const { log } = this.deps;
    if (performance.now() - this.lastDriftRebuildAt < this.options.rebuildMinIntervalMs) {
      log.error(
        { unrepaired },
        'drift is left: the next rebuild is not due yet; `tally rebuild` does it now',
      );
      return;
    }
    this.lastDriftRebuildAt = performance.now();
    log.warn({ unrepaired }, 'drift is left: building a new read model beside the live one');
    await runRebuild(this.stoppable());
  }

  private stoppable(): ResyncDeps {
    return { ...this.deps, signal: this.stopping.signal };
  }
}
