import { Keys, liveKey } from './keys';
import { isWrongType } from '../redis/client';
import type { ScriptedRedis } from './scripts';

/** Which generation is live, as this process knows it. Shared by the reader and the projector of a process. */
export class LiveGeneration {
  private known: Keys | undefined;

  constructor(
    private readonly redis: ScriptedRedis,
    readonly prefix: string,
  ) {}

  /** As last seen; undefined where there was none. */
  get current(): Keys | undefined {
    return this.known;
  }

  /** Asks Redis. */
  async refresh(): Promise<Keys | undefined> {
    const generation = await this.readPointer();
    if (generation === null) this.known = undefined;
    else if (generation !== this.known?.generation) this.known = new Keys(this.prefix, generation);
    return this.known;
  }

  /** A key of another type points nowhere; the next flip puts a pointer in its place. */
  private async readPointer(): Promise<string | null> {
    return this.redis.get(liveKey(this.prefix)).catch((error: unknown) => {
      if (isWrongType(error)) return null;
      throw error;
    });
  }
}
