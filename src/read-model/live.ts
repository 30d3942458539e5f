import type { LogId } from '../domain/ids';
import type { Redis } from '../redis/client';
import { readText } from '../redis/stored';
import { KeySpace, type Keys } from './keys';

/** Which generation is live, as this process knows it. Shared by everything in a process. */
export class LiveGeneration {
  private known: Keys | undefined;
  private currentSpace: KeySpace | undefined;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {}

  /** As last seen; undefined where there was none. */
  get current(): Keys | undefined {
    return this.known;
  }

  /** The keys of the log that MySQL has, as last seen; undefined before MySQL was asked for the first time. */
  get space(): KeySpace | undefined {
    return this.currentSpace;
  }

  /**
   * Told of the log's id with every read of its head. Another one is another database behind this service: from then on
   * nothing of the other log's read model is read or written.
   * @returns whether it is another one than before.
   */
  follow(logId: LogId): boolean {
    if (this.currentSpace?.isOf(logId) === true) return false;
    const isAnother = this.currentSpace !== undefined;
    this.currentSpace = new KeySpace(this.prefix, logId);
    this.known = undefined;
    return isAnother;
  }

  /** Asks Redis. */
  async refresh(): Promise<Keys | undefined> {
    const space = this.currentSpace;
    if (space === undefined) return undefined;
    // A key of another type points nowhere, and the next promotion replaces it.
    const live = await readText(this.redis, space.live);
    if (space !== this.currentSpace) return this.known; // another log meanwhile
    if (live === undefined) this.known = undefined;
    else if (live !== this.known?.generation) this.known = space.generation(live);
    return this.known;
  }
}
