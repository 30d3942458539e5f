import type { Operation } from './operations';
import { add, addWithin, type Sums } from './sums';

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
