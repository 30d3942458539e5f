/**
 * What an event does to the read model, as data. The same operations are carried out in Redis, joined by `Changes` and run
 * by `operations.lua`, and by `MemoryModel`, which computes what Redis should hold.
 *
 * Invariant: a counter, hash field or ranking member exists exactly when its value is not zero.
 * Invariant: every sum, at every moment, is a whole number that a double states exactly; the write side keeps the sums of
 * all orders below that bound (`event_head`).
 */
export type Operation =
  /** Sets the whole hash; null deletes it. */
  | { kind: 'hash'; key: string; fields: Record<string, string> | null }
  | { kind: 'count'; key: string; by: number }
  | { kind: 'count-field'; key: string; field: string; by: number }
  /** Moves a member of a ranking; the script stores the score negated. */
  | { kind: 'rank'; key: string; member: string; by: number }
  /** Whether an id is in a sorted set whose scores are its members. */
  | { kind: 'list'; key: string; id: number; listed: boolean }
  /** Whether an id is in a block. The index of blocks lists exactly the blocks that are not empty. */
  | { kind: 'block'; key: string; id: number; listed: boolean; index: string; block: number };
