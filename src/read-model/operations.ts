/**
 * What an event does to the read model, as data. The same operations are carried out in Redis, joined by `Changes` and
 * run by `scripts/operations.lua`, and by `MemoryModel`, which computes what Redis should hold.
 *
 * A counter, hash field or ranking member exists exactly when its value is not zero.
 */
export type Operation =
  /** Sets the whole hash. */
  | { kind: 'set-hash'; key: string; fields: Record<string, string> }
  | { kind: 'delete'; key: string }
  | { kind: 'count'; key: string; by: bigint }
  | { kind: 'count-field'; key: string; field: string; by: bigint }
  /** Moves a member of a ranking; the script stores the score negated. */
  | { kind: 'rank'; key: string; member: string; by: bigint }
  /** Adds an id to a sorted set whose scores are its members, or takes it away. */
  | { kind: 'add-id'; key: string; id: number }
  | { kind: 'remove-id'; key: string; id: number }
  /** Adds an id to a block, and the block to the index of blocks; the index lists exactly the blocks that are not empty. */
  | { kind: 'add-to-block'; key: string; id: number; index: string; block: number }
  | { kind: 'remove-from-block'; key: string; id: number; index: string; block: number };
