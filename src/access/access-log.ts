import type { Logger } from 'pino';
import { errorMessage } from '../domain/errors';
import { instantAt } from '../domain/ids';
import { Loop } from '../loop';
import type { Database } from '../mysql/pool';
import {
  deleteAccessEvents,
  insertAccessEvents,
  newestAccessEvent,
  type AccessEvent,
  type CountedAccessEvent,
} from '../mysql/tables/access-events';

const WRITE_EVERY_MS = 5_000;
/** Different events that wait to be written. A flood of others is one event more, which says how many they were. */
const MAX_WAITING = 100;
const TIMEOUT_MS = 1_000;

const CLEAN_EVERY_MS = 60_000;
/** More than an instance writes in that time. */
const CLEANED_ROWS = 2_000;
/** In a flood that lasts for days, the oldest events go before their time. So many rows take some 150 MB. */
const MAX_ROWS = 1_000_000;
const DAY_MS = 86_400_000;

/**
 * Writes down what happens to access, for the audit. Requests never wait for it, and no number of them makes it ask MySQL
 * more often. While MySQL is away, it keeps what it has room for; a write whose answer was lost is made again, so an event
 * may then be there twice.
 */
export class AccessLog {
  private waiting = new JoinedEvents(MAX_WAITING);
  private readonly loop = new Loop(() => this.step());
  private cleanedAt = -Infinity;
  private isTold = false;

  constructor(
    private readonly database: Database,
    private readonly options: { keepDays: number; log: Logger },
  ) {}

  note(event: AccessEvent): void {
    this.waiting.add({ ...event, occurredAt: instantAt(Date.now()), count: 1 });
  }

  start(): void {
    this.loop.start();
  }

  /** Writes what is left, if MySQL takes it at once. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.tellFailure(() => this.write());
  }

  private async step(): Promise<number> {
    await this.tellFailure(async () => {
      await this.write();
      if (performance.now() - this.cleanedAt > CLEAN_EVERY_MS) await this.clean();
    });
    return WRITE_EVERY_MS;
  }

  private async write(): Promise<void> {
    const events = this.waiting;
    if (events.all.length === 0) return;
    this.waiting = new JoinedEvents(MAX_WAITING);
    try {
      await this.database.session((session) => session.send([insertAccessEvents(events.all)]), TIMEOUT_MS);
    } catch (error) {
      for (const event of this.waiting.all) events.add(event);
      this.waiting = events;
      throw error;
    }
  }

  private async clean(): Promise<void> {
    this.cleanedAt = performance.now();
    const time = instantAt(Date.now() - this.options.keepDays * DAY_MS);
    await this.database.session(async (session) => {
      const id = (await session.ask(newestAccessEvent())) - MAX_ROWS;
      for (const deletion of deleteAccessEvents({ time, id }, CLEANED_ROWS)) await session.send([deletion]);
    }, TIMEOUT_MS);
  }

  private async tellFailure(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.isTold = false;
    } catch (error) {
      if (!this.isTold)
        this.options.log.warn(
          { reason: errorMessage(error) },
          'MySQL does not take refusals of keys for the audit: they wait, as far as there is room',
        );
      this.isTold = true;
    }
  }
}

/** Joins equal events, and holds a bounded number of different ones. */
export class JoinedEvents {
  private readonly byContent = new Map<string, CountedAccessEvent>();

  constructor(private readonly limit: number) {}

  get all(): CountedAccessEvent[] {
    return [...this.byContent.values()];
  }

  add(event: CountedAccessEvent): void {
    const { occurredAt, count } = event;
    const content = contentOf(event);
    const same = this.byContent.get(content);
    if (same !== undefined) {
      this.byContent.set(content, { ...same, occurredAt, count: same.count + count });
    } else if (this.byContent.size < this.limit || event.what === 'left-out') {
      this.byContent.set(content, event);
    } else {
      this.add({ what: 'left-out', occurredAt, count });
    }
  }
}

/** Equal for those that are joined. Whoever makes up keys would fill all the room: of those only the first is named. */
function contentOf({ what, reason, principalId, keyId, route, address }: AccessEvent): string {
  return JSON.stringify([
    what,
    reason,
    principalId,
    reason === 'unknown' ? undefined : keyId,
    route,
    address,
  ]);
}
