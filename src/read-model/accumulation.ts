import type { Operation } from './operations';

/** Amounts by key. An amount that comes to zero is removed: in the read model, absent and zero are the same. */
export type Sums = Map<string, number>;

/**
 * What a sequence of operations comes to. Amounts add up in any order; what settings and lists come to depends on what it
 * is for: a change of Redis (`Changes`), or what Redis should hold (`MemoryModel`).
 */
export abstract class Accumulation {
  protected readonly counters: Sums = new Map();
  protected readonly fields = new Map<string, Sums>();
  protected readonly rankings = new Map<string, Sums>();

  add(operation: Operation): void {
    switch (operation.kind) {
      case 'hash':
        this.setHash(operation.key, operation.fields);
        return;
      case 'count':
        add(this.counters, operation.key, operation.by);
        return;
      case 'count-field':
        addWithin(this.fields, operation.key, operation.field, operation.by);
        return;
      case 'rank':
        addWithin(this.rankings, operation.key, operation.member, operation.by);
        return;
      case 'list':
        this.setListed(operation.key, operation.id, operation.listed);
        return;
      case 'block':
        this.setInBlock(operation);
        return;
    }
  }

  protected abstract setHash(key: string, fields: Record<string, string> | null): void;
  protected abstract setListed(key: string, id: number, listed: boolean): void;
  protected abstract setInBlock(operation: Extract<Operation, { kind: 'block' }>): void;
}

/** @throws RangeError where the sum would not be exact: then the bound at the head of the log does not hold. */
function add(sums: Sums, key: string, by: number): void {
  const sum = (sums.get(key) ?? 0) + by;
  if (!Number.isSafeInteger(sum)) throw new RangeError(`the sum of ${key} is not exact: ${sum}`);
  if (sum === 0) sums.delete(key);
  else sums.set(key, sum);
}

/** As `add`, for the amount of a member within a key. */
function addWithin(maps: Map<string, Sums>, key: string, member: string, by: number): void {
  let sums = maps.get(key);
  if (sums === undefined) maps.set(key, (sums = new Map()));
  add(sums, member, by);
  if (sums.size === 0) maps.delete(key);
}
