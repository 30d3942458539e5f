import type { Content, Slice } from './inspect';
import type { Operation } from './operations';
import { SortedIds } from './sorted-ids';
import { add, addWithin, type Amount, type Sums } from './sums';

/** Beyond this a ranking's score is stored as infinite (see `operations.lua`). */
const EXACT = 2n ** 53n;
/** Members looked up in one command; about a millisecond of Redis. */
const MAX_SLICE_MEMBERS = 1000;

/** What Redis should hold after a sequence of operations, computed in memory: the expectation of a verification. */
export class MemoryModel {
  private readonly counters: Sums = new Map();
  private readonly texts = new Map<string, Record<string, string>>();
  private readonly fields = new Map<string, Sums>();
  private readonly rankings = new Map<string, Sums>();
  /** Sorted sets of ids. */
  private readonly lists = new Map<string, SortedIds>();
  private readonly blocks = new Map<string, SortedIds>();

  apply(operations: Iterable<Operation>): void {
    for (const operation of operations) this.applyOne(operation);
  }

  private applyOne(operation: Operation): void {
    switch (operation.kind) {
      case 'set-hash':
        this.texts.set(operation.key, operation.fields);
        return;
      case 'delete':
        this.texts.delete(operation.key);
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
      case 'add-id':
        include(this.lists, operation.key, operation.id);
        return;
      case 'remove-id':
        exclude(this.lists, operation.key, operation.id);
        return;
      case 'add-to-block':
        include(this.blocks, operation.key, operation.id);
        include(this.lists, operation.index, operation.block);
        return;
      case 'remove-from-block':
        exclude(this.blocks, operation.key, operation.id);
        if (!this.blocks.has(operation.key)) exclude(this.lists, operation.index, operation.block);
        return;
    }
  }

  inBlock(blockKey: string, id: number): boolean {
    return this.blocks.get(blockKey)?.has(id) ?? false;
  }

  /** Every key that should exist, cut into slices of a bounded size. */
  *slices(): Generator<Slice> {
    for (const key of this.counters.keys()) yield { key, type: 'string' };
    for (const key of this.texts.keys()) yield { key, type: 'hash' };
    for (const key of this.fields.keys()) yield { key, type: 'hash' };
    for (const key of this.blocks.keys()) yield { key, type: 'set' };
    for (const [key, ranking] of this.rankings) yield* zsetSlices(key, [...ranking.keys()]);
    for (const [key, list] of this.lists) yield* zsetSlices(key, [...list].map(String));
  }

  /** How a key should be looked at, whole. */
  sliceOf(key: string): Slice {
    if (this.counters.has(key)) return { key, type: 'string' };
    if (this.texts.has(key) || this.fields.has(key)) return { key, type: 'hash' };
    if (this.blocks.has(key)) return { key, type: 'set' };
    const members = this.rankings.get(key)?.keys() ?? this.lists.get(key);
    return members === undefined
      ? { key, type: 'none' }
      : { key, type: 'zset', members: [...members].map(String) };
  }

  /** What a slice should hold. */
  content(slice: Slice): Content {
    const { key } = slice;
    if (slice.type === 'zset') return this.zsetContent(key, slice.members);
    const counter = this.counters.get(key);
    if (counter !== undefined) return { type: 'string', value: String(counter) };
    const texts = this.texts.get(key);
    if (texts !== undefined) return { type: 'hash', fields: texts };
    const fields = this.fields.get(key);
    if (fields !== undefined) {
      return {
        type: 'hash',
        fields: Object.fromEntries([...fields].map(([field, value]) => [field, String(value)])),
      };
    }
    const block = this.blocks.get(key);
    if (block !== undefined) return { type: 'set', members: [...block].map(String) };
    return { type: 'none' };
  }

  private zsetContent(key: string, members: string[]): Content {
    const ranking = this.rankings.get(key);
    const list = this.lists.get(key);
    const score = (member: string): string | null => {
      const value = ranking?.get(member);
      if (value !== undefined) return rankingScore(value);
      return list?.has(Number(member)) === true ? member : null;
    };
    return {
      type: 'zset',
      size: ranking?.size ?? list?.size ?? 0,
      scores: new Map(members.map((member) => [member, score(member)])),
    };
  }
}

function* zsetSlices(key: string, members: string[]): Generator<Slice> {
  for (let at = 0; at < members.length; at += MAX_SLICE_MEMBERS) {
    yield { key, type: 'zset', members: members.slice(at, at + MAX_SLICE_MEMBERS) };
  }
}

function rankingScore(value: Amount): string {
  if (value >= EXACT) return '-inf';
  if (value <= -EXACT) return 'inf';
  return String(-value);
}

function include(lists: Map<string, SortedIds>, key: string, id: number): void {
  let ids = lists.get(key);
  if (ids === undefined) lists.set(key, (ids = new SortedIds()));
  ids.add(id);
}

function exclude(lists: Map<string, SortedIds>, key: string, id: number): void {
  const ids = lists.get(key);
  if (ids === undefined) return;
  ids.delete(id);
  if (ids.size === 0) lists.delete(key);
}
