import type { SessionStore } from './store';

/** Some 5 MB of sessions. Beyond it, those that were used longest ago end. */
const MAX_SESSIONS = 10_000;

interface Kept {
  text: string;
  endsAt: number;
  owner: string | undefined;
}

/** In this process, and gone with it. */
export class MemoryStore implements SessionStore {
  readonly about =
    'sessions are kept in this process: they end when it ends, and other instances do not know them';
  /** In the order in which they were written last. */
  private readonly sessions = new Map<string, Kept>();

  async read(id: string): Promise<string | undefined> {
    return this.kept(id)?.text;
  }

  async create(id: string, text: string, ttlMs: number): Promise<void> {
    this.put(id, { text, endsAt: Date.now() + ttlMs, owner: undefined });
  }

  async update(id: string, text: string, ttlMs: number, owner: string): Promise<void> {
    if (this.kept(id) !== undefined) this.put(id, { text, endsAt: Date.now() + ttlMs, owner });
  }

  async end(id: string): Promise<void> {
    this.sessions.delete(id);
  }

  async ofOwner(owner: string): Promise<Map<string, string>> {
    const own = [...this.sessions].filter(
      ([id, kept]) => kept.owner === owner && this.kept(id) !== undefined,
    );
    return new Map(own.map(([id, { text }]) => [id, text]));
  }

  close(): void {
    this.sessions.clear();
  }

  private kept(id: string): Kept | undefined {
    const kept = this.sessions.get(id);
    if (kept === undefined || kept.endsAt > Date.now()) return kept;
    this.sessions.delete(id);
    return undefined;
  }

  private put(id: string, kept: Kept): void {
    this.sessions.delete(id);
    this.sessions.set(id, kept);
    if (this.sessions.size <= MAX_SESSIONS) return;
    const [oldest] = this.sessions.keys();
    if (oldest !== undefined) this.sessions.delete(oldest);
  }
}
