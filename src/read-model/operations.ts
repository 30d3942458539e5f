/**
 * What an event does to the read model, as data. The same operations are carried out by the apply script in Redis
 * (`scripts/operations.lua`) and by `MemoryModel`, which computes what Redis should hold.
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

/** What two operations must share for the later one to be joined with, or to replace, the earlier one. */
function target(operation: Operation): string {
  switch (operation.kind) {
    case 'set-hash':
    case 'delete':
    case 'count':
      return operation.key;
    case 'count-field':
      return `${operation.key} ${operation.field}`;
    case 'rank':
      return `${operation.key} ${operation.member}`;
    case 'add-id':
    case 'remove-id':
    case 'add-to-block':
    case 'remove-from-block':
      return `${operation.key} ${operation.id}`;
  }
}

/**
 * Operations in the order of their events → at most one for each target, with the same effect: amounts are added up, and
 * of settings the last one counts. Ten orders of one product make one increment.
 */
export class Coalescer {
  private readonly byTarget = new Map<string, Operation>();

  add(operations: Iterable<Operation>): void {
    for (const operation of operations) {
      const key = target(operation);
      const earlier = this.byTarget.get(key);
      if (earlier !== undefined && 'by' in earlier && 'by' in operation) {
        this.byTarget.set(key, { ...earlier, by: earlier.by + operation.by });
      } else {
        this.byTarget.set(key, operation);
      }
    }
  }

  /** How many operations there are now, at most. */
  get size(): number {
    return this.byTarget.size;
  }

  /** The operations, without those that came to nothing. */
  operations(): Operation[] {
    return [...this.byTarget.values()].filter((operation) => !('by' in operation) || operation.by !== 0n);
  }
}

/** An operation as the scripts take it: the number of arguments, the command, the arguments. */
export function encodeOperations(operations: Operation[]): string[] {
  const encoded: string[] = [];
  for (const operation of operations) {
    const [command, ...args] = encodeOperation(operation);
    encoded.push(String(args.length), command, ...args);
  }
  return encoded;
}

function encodeOperation(operation: Operation): [string, ...string[]] {
  switch (operation.kind) {
    case 'set-hash':
      return ['HSET', operation.key, ...Object.entries(operation.fields).flat()];
    case 'delete':
      return ['DEL', operation.key];
    case 'count':
      return ['INCRBY', operation.key, String(operation.by)];
    case 'count-field':
      return ['HINCRBY', operation.key, operation.field, String(operation.by)];
    case 'rank':
      return ['ZINCRBY', operation.key, String(-operation.by), operation.member];
    case 'add-id':
      return ['ZADD', operation.key, String(operation.id), String(operation.id)];
    case 'remove-id':
      return ['ZREM', operation.key, String(operation.id)];
    case 'add-to-block':
      return ['SADD', operation.key, String(operation.id), operation.index, String(operation.block)];
    case 'remove-from-block':
      return ['SREM', operation.key, String(operation.id), operation.index, String(operation.block)];
  }
}
