import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { errorMessage } from '../../domain/problems';
import type { Tip } from '../../domain/events';
import type { Database } from '../../mysql/pool';
import { readHead, type Appended } from '../../mysql/log';
import type { LiveGeneration } from '../../read-model/live';
import type { Keys } from '../../read-model/keys';
import type { ScriptedRedis } from '../../read-model/scripts';
import { applyEvents, catchUp, GenerationLost } from './applier';
import { Inbox } from './pending-events';
import { Waiters } from './position-waiters';

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
  /** The live generation is lost, or there is none: someone must rebuild. Called again as long as that is so. */
  onLost: (loss: GenerationLost | undefined) => void;
}

export interface ProjectorStatus {
  applied: Tip | undefined;
  head: Tip | undefined;
  /** How long ago `head` was last seen. */
  headAgeMs: number | undefined;
  lagEvents: number;
  /** Age of the oldest event that is not applied. */
  lagSeconds: number;
  /** Why nothing is being applied, if so. */
  stalled: string | undefined;
}

/**
 * Brings events to Redis: those that this process committed straight from memory, all others by reading on in the log.
 * One loop, so that a process applies in order. Any number of projectors may run beside each other, in any number of
 * processes: the compare-and-set in the apply script makes each event count once.
 */
export class Projector {
  private readonly inbox: Inbox;
  private readonly waiters = new Waiters();
  private readonly loop: { stopping: boolean; running: Promise<void> | undefined } = {
    stopping: false,
    running: undefined,
  };
  private wake: (() => void) | undefined;
  private catchUpWanted = true;
  private caughtUpAt = 0;
  private failures = 0;

  private applied: Tip | undefined;
  private head: Tip | undefined;
  private headSeenAt: number | undefined;
  private oldestUnappliedAt: string | undefined;
  private stalled: string | undefined;

  constructor(
    private readonly redis: ScriptedRedis,
    private readonly database: Database,
    private readonly live: LiveGeneration,
    private readonly options: ProjectorOptions,
  ) {
    this.inbox = new Inbox(options.onProjected);
  }

  start(): void {
    this.loop.running ??= this.run();
  }

  /** Ends the loop after what it is doing, and lets nobody wait any longer. */
  async stop(): Promise<void> {
    this.loop.stopping = true;
    this.wake?.();
    await this.loop.running;
    this.waiters.releaseAll();
  }

  /** Takes events that this process has just committed. */
  offer(appended: Appended): void {
    if (!this.inbox.offer(appended)) this.catchUpWanted = true;
    const last = appended.events.at(-1);
    if (last !== undefined && last.position > (this.head?.position ?? 0))
      this.sawHead(last, performance.now());
    this.oldestUnappliedAt ??= appended.events[0]?.occurredAt;
    this.wake?.();
  }

  /** Asks for a look at the log now. */
  nudge(): void {
    this.catchUpWanted = true;
    this.wake?.();
  }

  /** Resolves with true when the read model contains the position, with false when the time is over first. */
  async waitFor(position: number, timeoutMs: number): Promise<boolean> {
    if ((this.applied?.position ?? -1) >= position) return true;
    return this.waiters.wait(position, timeoutMs);
  }

  /** Whether the log ends before this position; false where MySQL cannot tell. */
  async isBeyondHead(position: number): Promise<boolean> {
    if ((this.head?.position ?? 0) >= position) return false;
    try {
      const head = await this.database.session(readHead);
      this.sawHead(head, head.askedAt);
      return head.position < position;
    } catch (error) {
      this.options.log.warn(
        { err: error },
        'cannot ask MySQL for the head of the log; a read waits for its position',
      );
      return false;
    }
  }

  status(): ProjectorStatus {
    const lagEvents = Math.max(0, (this.head?.position ?? 0) - (this.applied?.position ?? 0));
    const oldest = this.oldestUnappliedAt;
    const lagSeconds = lagEvents === 0 || oldest === undefined ? 0 : (Date.now() - Date.parse(oldest)) / 1000;
    return {
      applied: this.applied,
      head: this.head,
      headAgeMs: this.headSeenAt === undefined ? undefined : performance.now() - this.headSeenAt,
      lagEvents,
      lagSeconds: Math.max(0, lagSeconds),
      stalled: this.stalled,
    };
  }

  private async run(): Promise<void> {
    while (!this.loop.stopping) {
      try {
        await this.drain();
        this.failures = 0;
      } catch (error) {
        this.failed(error);
      }
      await this.sleep();
    }
  }

  private failed(error: unknown): void {
    this.failures += 1;
    this.stalled = errorMessage(error);
    this.catchUpWanted = true;
    // The first failure, and then seldom: an outage is one event, not a thousand lines.
    const { log } = this.options;
    const message =
      'cannot bring events to the read model; commands go on, the projector tries again by itself';
    if (this.failures === 1 || this.failures % 100 === 0)
      log.error({ err: error, failures: this.failures }, message);
    else log.debug({ err: error, failures: this.failures }, message);
  }

  /** Until someone wakes the loop or the next poll is due; after failures, a pause that nobody cuts short. */
  private async sleep(): Promise<void> {
    if (this.loop.stopping) return;
    if (this.failures > 0) {
      await delay(Math.min(MAX_BACKOFF_MS, 10 * 2 ** Math.min(this.failures, 10)));
      return;
    }
    if (this.catchUpWanted || this.inbox.size > 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.catchUpWanted = true;
        resolve();
      }, this.options.pollMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }

  private async drain(): Promise<void> {
    const keys = this.live.current ?? (await this.live.refresh());
    if (keys === undefined) {
      this.stalled = 'there is no read model yet';
      this.applied = undefined;
      this.inbox.clear(); // the events are in MySQL, and a build reads them there
      this.options.onLost(undefined);
      await this.observeHead();
      return;
    }
    try {
      while (!this.loop.stopping && this.isLive(keys) && (this.inbox.size > 0 || this.catchUpWanted)) {
        // The poll is the guarantee: under constant load too.
        if (performance.now() - this.caughtUpAt >= this.options.pollMs) this.catchUpWanted = true;
        if (!this.catchUpWanted) await this.applyInbox(keys);
        else if (await this.isStillLive(keys)) await this.catchUp(keys);
      }
      this.stalled = undefined;
    } catch (error) {
      if (!(error instanceof GenerationLost)) throw error;
      // Perhaps it was only replaced by another generation.
      const now = await this.live.refresh();
      if (now !== undefined && now.generation !== keys.generation) {
        this.catchUpWanted = true;
        return;
      }
      this.applied = undefined;
      this.options.onLost(error);
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

  /** Applies the oldest run of events in the inbox; wants a catch-up where the events before it do not come. */
  private async applyInbox(keys: Keys): Promise<void> {
    for (let attempt = 1; attempt <= GAP_ATTEMPTS; attempt++) {
      const run = this.inbox.oldestRun();
      if (run === undefined) return;
      const { applied, appliedEvents } = await applyEvents(this.redis, keys, run.base, run.events);
      this.options.onApplied('inline', appliedEvents);
      this.advanceTo(applied);
      if (applied.position >= run.base.position) return;
      await delay(GAP_PAUSE_MS);
    }
    this.catchUpWanted = true;
  }

  private async catchUp(keys: Keys): Promise<void> {
    this.catchUpWanted = false;
    this.caughtUpAt = performance.now();
    let counted = 0;
    const state = await catchUp(this.redis, this.database, keys, {
      shouldStop: () => this.loop.stopping,
      onProgress: ({ applied, appliedEvents, head }, oldest) => {
        this.options.onApplied('catch-up', appliedEvents - counted);
        counted = appliedEvents;
        this.sawHead(head, head.askedAt);
        this.advanceTo(applied);
        this.oldestUnappliedAt = oldest?.occurredAt ?? this.inbox.oldest()?.occurredAt;
      },
    });
    this.advanceTo(state.applied);
  }

  private async observeHead(): Promise<void> {
    this.catchUpWanted = false;
    const head = await this.database.session(readHead);
    this.sawHead(head, head.askedAt);
  }

  private advanceTo(applied: Tip): void {
    this.applied = applied;
    this.inbox.dropThrough(applied.position);
    this.oldestUnappliedAt = this.inbox.oldest()?.occurredAt;
    this.waiters.release(applied.position);
  }

  /** An answer that MySQL gave before our own last commit says nothing new; one that goes back later is a restored MySQL. */
  private sawHead(head: Tip, askedAt: number): void {
    if (this.headSeenAt !== undefined && askedAt < this.headSeenAt) return;
    this.head = head;
    this.headSeenAt = askedAt;
  }
}
