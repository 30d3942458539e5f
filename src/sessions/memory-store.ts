import type { SessionStore } from './store';

/** Some 5 MB of sessions. Beyond it, those that were used longest ago end. */
const MAX_OWNED = 10_000;
/** Sessions that belong to nobody yet: everybody can begin one, and must not end those of others by that. */
const MAX_BEGUN = 1_000;

interface Kept {
  text: string;
  endsAt: number;
  owner?: string;
}

/** In this process, and gone with it. */
export class MemoryStore implements SessionStore {
  readonly about =
    'sessions are kept in this process: they end when it ends, and other instances do not know them';
  private readonly begun = new Map<string, Kept>();
  private readonly owned = new Map<string, Kept>();

  async read(id: string): Promise<string | undefined> {
    return this.kept(id)?.text;
  }

  async put(id: string, text: string, ttlMs: number): Promise<void> {
    put(this.begun, id, { text, endsAt: Date.now() + ttlMs }, MAX_BEGUN);
  }

  async update(id: string, text: string, ttlMs: number, owner: string): Promise<void> {
    if (this.kept(id) === undefined) return;
    this.begun.delete(id);
    put(this.owned, id, { text, endsAt: Date.now() + ttlMs, owner }, MAX_OWNED);
  }

  async end(id: string): Promise<void> {
    this.begun.delete(id);
    this.owned.delete(id);
  }

  async ofOwner(owner: string): Promise<Map<string, string>> {
    const own = [...this.owned].filter(([id, kept]) => kept.owner === owner && this.kept(id) !== undefined);
    return new Map(own.map(([id, { text }]) => [id, text]));
  }

  close(): void {
    this.begun.clear();
    this.owned.clear();
  }

  private kept(id: string): Kept | undefined {
    const kept = this.owned.get(id) ?? this.begun.get(id);
    if (kept === undefined || kept.endsAt > Date.now()) return kept;
    this.begun.delete(id);
    this.owned.delete(id);
    return undefined;
  }
}

/** Behind all others, so that the first one is the one that was written longest ago. */
function put(sessions: Map<string, Kept>, id: string, kept: Kept, limit: number): void {
  sessions.delete(id);
  sessions.set(id, kept);
  if (sessions.size <= limit) return;
  const [oldest] = sessions.keys();
  if (oldest !== undefined) sessions.delete(oldest);
}
