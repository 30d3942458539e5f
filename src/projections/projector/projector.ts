import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { errorMessage } from '../../domain/errors';
import { logPositionOf } from '../../domain/events';
import { formatLogPosition, type LogPosition } from '../../domain/log-position';
import type { Appended } from '../../mysql/append';
import { readHead, type Head } from '../../mysql/log';
import type { Database, Databases } from '../../mysql/pool';
import type { Keys } from '../../read-model/keys';
import type { LiveGeneration } from '../../read-model/live';
import type { Redis } from '../../redis/client';
import { Loop } from '../../loop';
import { applyEvents } from './apply-events';
import { catchUp } from './catch-up';
import { Freshness } from './freshness';
import { GenerationLost } from './generation-lost';
import { Lag, type LagStatus } from './lag';
import { PendingEvents } from './pending-events';
import { RecentHistory } from './recent-history';

/** Events of other instances come first: give them this long, in this many looks, before reading MySQL for them. */
const GAP_PAUSE_MS = 3;
const GAP_ATTEMPTS = 3;
const MAX_BACKOFF_MS = 2000;

export interface ProjectorOptions {
  pollMs: number;
  log: Logger;
  /** Events applied, by the way they came. */
  onApplied: (path: 'inline' | 'catch-up', events: number) => void;
  /** How long an event that this process committed took from then until it was applied. */
  onProjected?: (lagSeconds: number) => void;
  /**
   * The live generation is lost, or there is none: someone must rebuild. Called again as long as that is so.
   * @param isOwn whether its checkpoint is where this process saw it last.
   */
  onLost: (loss: GenerationLost | undefined, isOwn: boolean) => void;
}

/**
 * Brings events to Redis: those that this process committed straight from memory, all others by reading on in the log.
 * One loop, so that a process applies in order. Any number of projectors may run beside each other, in any number of
 * processes: the comparison in `advance.lua` makes each event count once.
 */
export class Projector {
  /** What the read model contains. */
  readonly freshness: Freshness;
  private readonly database: Database;
  private readonly history: RecentHistory;
  private readonly lag = new Lag();
  private readonly pending: PendingEvents;
  private readonly loop = new Loop((signal) => this.step(signal));
  private isCatchUpWanted = true;
  private caughtUpAt = 0;
  private failures = 0;

  constructor(
    private readonly redis: Redis,
    databases: Pick<Databases, 'reads' | 'requests'>,
    private readonly live: LiveGeneration,
    private readonly options: ProjectorOptions,
  ) {
    this.database = databases.reads;
    this.history = new RecentHistory(databases.reads);
    this.freshness = new Freshness(databases.requests, this.lag, this.history, options.log);
    this.pending = new PendingEvents(options.onProjected);
  }

  start(): void {
    this.loop.start();
  }

  /** Ends the loop after what it is doing, and lets nobody wait any longer. */
  async stop(): Promise<void> {
    await this.loop.stop();
    this.freshness.giveUp();
  }

  /** Takes events that this process has just committed. */
  offer(appended: Appended): void {
    if (this.live.follow(appended.logId)) this.startOver();
    if (!this.pending.offer(appended)) this.isCatchUpWanted = true;
    const last = appended.events.at(-1);
    if (last !== undefined) this.lag.committed(logPositionOf(last), appended.events[0]?.occurredAt);
    this.loop.wake();
  }

  /** Asks for a look at the log now. */
  nudge(): void {
    this.isCatchUpWanted = true;
    this.loop.wake();
  }

  status(): LagStatus {
    return this.lag.status();
  }

  private async step(signal: AbortSignal): Promise<number> {
    // The poll is the guarantee: whatever was told or not told, the log is looked at.
    if (performance.now() - this.caughtUpAt >= this.options.pollMs) this.isCatchUpWanted = true;
    try {
      await this.drain(signal);
      this.failures = 0;
      return this.isCatchUpWanted || this.pending.size > 0 ? 0 : this.options.pollMs;
    } catch (error) {
      if (signal.aborted) return 0;
      this.failed(error);
      await delay(backOffMs(this.failures), undefined, { signal }).catch(() => undefined); // stopped
      return 0;
    }
  }

  private failed(error: unknown): void {
    this.failures += 1;
    this.lag.stalled = errorMessage(error);
    this.isCatchUpWanted = true;
    // The first failure, and then seldom: an outage is one event, not a thousand lines.
    const { log } = this.options;
    const message = 'cannot bring events to the read model; the projector tries again by itself';
    if (this.failures === 1 || this.failures % 100 === 0)
      log.error({ err: error, failures: this.failures }, message);
    else log.debug({ err: error, failures: this.failures }, message);
  }

  private async drain(signal: AbortSignal): Promise<void> {
    const keys = this.live.current ?? (await this.live.refresh());
    if (keys === undefined) {
      this.lag.stalled = 'there is no read model yet';
      this.startOver();
      this.options.onLost(undefined, true);
      await this.observeHead();
      return;
    }
    try {
      while (!signal.aborted && this.isLive(keys) && (this.pending.size > 0 || this.isCatchUpWanted)) {
        if (performance.now() - this.caughtUpAt >= this.options.pollMs) this.isCatchUpWanted = true;
        if (!this.isCatchUpWanted) await this.applyPending(keys, signal);
        else if (await this.isStillLive(keys)) await this.catchUp(keys, signal);
      }
      this.lag.stalled = undefined;
    } catch (error) {
      if (!(error instanceof GenerationLost)) throw error;
      // Perhaps it belongs to another log than MySQL has by now, or was only replaced by another generation.
      await this.observeHead().catch(() => undefined); // the next step meets it again, and says so
      await this.live.refresh();
      if (!this.isLive(keys)) {
        this.isCatchUpWanted = true;
        return;
      }
      const { applied } = this.lag;
      this.lag.applied = undefined;
      this.lag.stalled = error.message;
      // What is real of them is in MySQL, where a build reads it.
      this.pending.clear();
      this.isCatchUpWanted = true;
      this.options.onLost(error, applied !== undefined && formatLogPosition(applied) === error.at);
      throw error;
    }
  }

  /** Others of this process refresh what is live; then nothing more goes to what was. */
  private isLive(keys: Keys): boolean {
    return this.live.current?.generation === keys.generation;
  }

  private async isStillLive(keys: Keys): Promise<boolean> {
    await this.live.refresh();
    return this.isLive(keys);
  }

  /** Applies the oldest run of pending events; wants a catch-up where the events before it do not come. */
  private async applyPending(keys: Keys, signal: AbortSignal): Promise<void> {
    const { redis, history } = this;
    for (let attempt = 1; attempt <= GAP_ATTEMPTS; attempt++) {
      const run = this.pending.oldestRun();
      if (run === undefined) return;
      const progress = await applyEvents({ redis, keys, history, signal }, run.base, run.events);
      this.options.onApplied('inline', progress.applied);
      if (progress.kind === 'at') {
        this.reached(progress.at);
        return;
      }
      await delay(GAP_PAUSE_MS, undefined, { signal });
    }
    this.isCatchUpWanted = true;
  }

  private async catchUp(keys: Keys, signal: AbortSignal): Promise<void> {
    this.isCatchUpWanted = false;
    this.caughtUpAt = performance.now();
    const { redis, history, database } = this;
    const isAtHead = await catchUp({ redis, keys, history, signal }, database, {
      onHead: (head) => this.sawHead(head),
      onPage: (at, applied, oldest) => {
        this.options.onApplied('catch-up', applied);
        this.reached(at);
        this.lag.oldestUnappliedAt = oldest?.occurredAt ?? this.pending.oldest()?.occurredAt;
      },
    });
    if (!isAtHead) this.isCatchUpWanted = true;
  }

  private async observeHead(): Promise<void> {
    this.isCatchUpWanted = false;
    this.sawHead(await this.database.session(readHead));
  }

  private sawHead(head: Head): void {
    if (this.live.follow(head.logId)) this.startOver();
    this.lag.sawHead(head);
    this.pending.dropLost(head);
  }

  /** Nothing is applied yet: events are in MySQL, and a build reads them there. */
  private startOver(): void {
    this.lag.applied = undefined;
    this.pending.clear();
    this.history.forget();
  }

  /** @param at a position of the log's own history. */
  private reached(at: LogPosition): void {
    this.lag.applied = at;
    this.pending.dropThrough(at.position);
    this.lag.oldestUnappliedAt = this.pending.oldest()?.occurredAt;
    this.freshness.reached(at);
  }
}

function backOffMs(failures: number): number {
  return Math.min(MAX_BACKOFF_MS, 10 * 2 ** Math.min(failures, 10));
}
