/**
 * Where sessions are kept: text under an id, with an end, and by owner. A store may forget a session before its end; it must
 * never bring one back that it was told to end. Everything may throw Problem `sessions-unreachable`.
 */
export interface SessionStore {
  /** For the log: where sessions are, and how long they live. */
  readonly about: string;
  read(id: string): Promise<string | undefined>;
  /** Writes a session that belongs to nobody. It never comes to belong to somebody but in the request that began it. */
  put(id: string, text: string, ttlMs: number): Promise<void>;
  /**
   * Changes a session that is there, and whose it is. Of one that is gone nothing is written: a request that began before a
   * logout, and ends after it, does not undo it.
   */
  update(id: string, text: string, ttlMs: number, owner: string): Promise<void>;
  end(id: string): Promise<void>;
  /** The sessions of an owner, by id. */
  ofOwner(owner: string): Promise<Map<string, string>>;
  close(): void;
}
