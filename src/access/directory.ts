import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { errorMessage } from '../domain/errors';
import { instantAt, type PrincipalId } from '../domain/ids';
import { Loop } from '../loop';
import type { Database } from '../mysql/pool';
import { accessVersion } from '../mysql/tables/access-version';
import { allApiKeys, markUsed } from '../mysql/tables/api-keys';
import { endedSessions } from '../mysql/tables/ended-sessions';
import { allPrincipals } from '../mysql/tables/principals';
import type { OwnedKey } from './api-key';
import { principalOf, type Person, type Principal } from './principal';

/** How soon a revocation reaches every instance. */
const POLL_MS = 1_000;
/** How often those who show a key that nobody knows can have MySQL asked. */
const ASK_EVERY_MS = 250;
/** An answer of MySQL that takes longer is no answer: callers wait for it. */
const TIMEOUT_MS = 1_000;
const MARK_USED_EVERY_MS = 10_000;

interface Content {
  version: number;
  principals: Map<PrincipalId, Principal>;
  keys: Map<string, OwnedKey>;
  endedSessions: ReadonlySet<string>;
}

/**
 * Who may do what, in memory: a request asks nobody, so keys are good while MySQL or Redis is away. What changes in MySQL
 * is here within about a second.
 */
export class Directory {
  private content: Content = {
    version: -1,
    principals: new Map(),
    keys: new Map(),
    endedSessions: new Set(),
  };
  private readonly loop = new Loop(() => this.step());
  /** The last reading that has begun. */
  private reading: Promise<void> = Promise.resolve();
  /** One that has not begun yet. */
  private coming: Promise<void> | undefined;
  private readAt = -Infinity;
  private isTold = false;
  /** Ids of keys that were used and are not marked so yet. */
  private readonly used = new Set<string>();
  private markedAt = performance.now();

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.markUsed().catch(() => undefined); // when a key was used last is not worth a failed shutdown
  }

  /** Whether nobody has ever been given access. What was revoked or has expired counts: it does not open the doors again. */
  get isEmpty(): boolean {
    return this.content.principals.size === 0;
  }

  principal(id: PrincipalId): Principal | undefined {
    return this.content.principals.get(id);
  }

  key(id: string): OwnedKey | undefined {
    return this.content.keys.get(id);
  }

  get keys(): Iterable<OwnedKey> {
    return this.content.keys.values();
  }

  get principals(): Iterable<Principal> {
    return this.content.principals.values();
  }

  /** Whether a session was ended before its time; `id` as it is stored. */
  isEnded(id: string): boolean {
    return this.content.endedSessions.has(id);
  }

  /** A key that is not known yet may have been made a moment ago. @throws where MySQL cannot be asked. */
  async keyAfterLook(id: string): Promise<OwnedKey | undefined> {
    await this.look();
    return this.key(id);
  }

  /** A person, who may have been added or changed a moment ago. @throws where MySQL cannot be asked. */
  async personAfterLook(name: string): Promise<Person | undefined> {
    await this.look();
    for (const principal of this.principals) {
      if (principal.kind === 'person' && principal.name === name) return principal;
    }
    return undefined;
  }

  /**
   * Reads what has changed. Whoever asks before the reading begins shares it; nobody joins one that has begun, so everybody
   * sees what was committed before he asked.
   * @throws where MySQL cannot be asked.
   */
  async look(): Promise<void> {
    this.coming ??= this.readInTurn();
    await this.coming;
  }

  noteUse(id: string): void {
    this.used.add(id);
  }

  private async step(): Promise<number> {
    try {
      await this.look();
      if (performance.now() - this.markedAt > MARK_USED_EVERY_MS) await this.markUsed();
      this.isTold = false;
    } catch (error) {
      if (!this.isTold) {
        const reason = errorMessage(error);
        this.log.warn(
          { reason },
          'MySQL does not tell who may do what: what was known last goes on to count',
        );
      }
      this.isTold = true;
    }
    return POLL_MS;
  }

  private async readInTurn(): Promise<void> {
    await this.reading.catch(() => undefined); // told to who asked for it
    await delay(Math.max(0, this.readAt + ASK_EVERY_MS - performance.now()));
    this.coming = undefined;
    this.readAt = performance.now();
    this.reading = this.read();
    await this.reading;
  }

  private async read(): Promise<void> {
    await this.database.session(async (session) => {
      // First: what changes from here on makes another version, which the next look finds.
      const version = await session.ask(accessVersion());
      if (version === this.content.version) return;
      const principals = new Map(
        (await session.ask(allPrincipals())).map((stored) => [stored.id, principalOf(stored)]),
      );
      const keys = new Map<string, OwnedKey>();
      for (const { ownerId, ...key } of await session.ask(allApiKeys())) {
        const owner = principals.get(ownerId);
        // One that came in between is found with the next version.
        if (owner !== undefined) keys.set(key.id, { ...key, owner });
      }
      const ended = new Set(await session.ask(endedSessions(instantAt(Date.now()))));
      this.content = { version, principals, keys, endedSessions: ended };
    }, TIMEOUT_MS);
  }

  private async markUsed(): Promise<void> {
    this.markedAt = performance.now();
    const ids = [...this.used];
    if (ids.length === 0) return;
    await this.database.session(
      (session) => session.send([markUsed(ids, instantAt(Date.now()))]),
      TIMEOUT_MS,
    );
    for (const id of ids) this.used.delete(id);
  }
}
