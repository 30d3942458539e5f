import { Problem } from '../domain/problems';
import type { Redis } from '../redis/client';
import { loadScript } from '../redis/script';
import { readText } from '../redis/stored';
import type { SessionStore } from './store';

const UPDATE = loadScript(__dirname, ['update-session']);

/** In Redis, for all instances; kept when they are replaced. */
export class RedisStore implements SessionStore {
  readonly about =
    'sessions are kept in Redis (SESSION_REDIS_URL): all instances know them, and they outlive restarts';

  /** @param root what the keys begin with; another database's people have other sessions. */
  constructor(
    private readonly redis: Redis,
    private readonly root: () => string,
  ) {}

  async read(id: string): Promise<string | undefined> {
    return this.ask(() => readText(this.redis, this.keyOf(id)));
  }

  async put(id: string, text: string, ttlMs: number): Promise<void> {
    await this.ask(() => this.redis.set(this.keyOf(id), text, 'PX', ttlMs));
  }

  async update(id: string, text: string, ttlMs: number, owner: string): Promise<void> {
    await this.ask(() =>
      UPDATE.run(this.redis, [this.keyOf(id), this.ownerKey(owner)], [text, Math.ceil(ttlMs), id]),
    );
  }

  async end(id: string): Promise<void> {
    await this.ask(() => this.redis.unlink(this.keyOf(id)));
  }

  async ofOwner(owner: string): Promise<Map<string, string>> {
    return this.ask(async () => {
      const ids = await this.redis.smembers(this.ownerKey(owner));
      if (ids.length === 0) return new Map();
      const texts = await this.redis.mget(ids.map((id) => this.keyOf(id)));
      const over = ids.filter((_, index) => texts[index] === null);
      if (over.length > 0) await this.redis.srem(this.ownerKey(owner), over);
      return new Map(ids.flatMap((id, index) => (texts[index] ? [[id, texts[index]]] : [])));
    });
  }

  close(): void {
    this.redis.disconnect();
  }

  /** Not a name of a generation's key (read-model/keys.ts): those are taken away with their generation. */
  private keyOf(id: string): string {
    return `{${this.root()}-sessions}:${id}`;
  }

  /** Set of the ids of an owner's sessions; some may be over. */
  private ownerKey(owner: string): string {
    return `{${this.root()}-sessions}:of:${owner}`;
  }

  private async ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      const detail = 'Redis, which keeps the sessions, did not answer; keys work meanwhile.';
      throw new Problem('sessions-unreachable', detail, { retryAfterSeconds: 2, cause: error });
    }
  }
}
