import { Accumulation } from './accumulation';
import type { Operation } from './operations';
import type { Content, Slice } from './slices';
import { SortedIds } from './sorted-ids';

/** Members looked up in one command; about a millisecond of Redis. */
const MAX_SLICE_MEMBERS = 1000;

/** What Redis should hold after a sequence of operations, computed in memory: the expectation of a verification. */
export class MemoryModel extends Accumulation {
  private readonly hashes = new Map<string, Record<string, string>>();
  /** Sorted sets of ids. */
  private readonly lists = new Map<string, SortedIds>();
  private readonly blocks = new Map<string, SortedIds>();

  protected override setHash(key: string, fields: Record<string, string> | null): void {
    if (fields === null) this.hashes.delete(key);
    else this.hashes.set(key, fields);
  }

  protected override setListed(key: string, id: number, listed: boolean): void {
    setListed(this.lists, key, id, listed);
  }

  protected override setInBlock(operation: Extract<Operation, { kind: 'block' }>): void {
    const { key, id, listed, index, block } = operation;
    const before = this.blocks.get(key)?.size ?? 0;
    setListed(this.blocks, key, id, listed);
    const after = this.blocks.get(key)?.size ?? 0;
    if ((before === 0) !== (after === 0)) setListed(this.lists, index, block, after > 0);
  }

  isInBlock(blockKey: string, id: number): boolean {
    return this.blocks.get(blockKey)?.has(id) ?? false;
  }

  /** Every key that should exist, cut into slices of a bounded size. */
  *slices(): Generator<Slice> {
    const { counters, hashes, fields, blocks, rankings, lists } = this;
    for (const keys of [counters, hashes, fields, blocks, rankings, lists]) {
      for (const key of keys.keys()) yield* parts(this.sliceOf(key));
    }
  }

  /** How a key should be looked at, whole. */
  sliceOf(key: string): Slice {
    if (this.counters.has(key)) return { key, type: 'string' };
    const hash = this.hashes.get(key);
    if (hash !== undefined) return { key, type: 'hash', names: Object.keys(hash) };
    const sums = this.fields.get(key);
    if (sums !== undefined) return { key, type: 'hash', names: [...sums.keys()] };
    if ((this.blocks.get(key)?.size ?? 0) > 0) return { key, type: 'set' };
    const ranking = this.rankings.get(key);
    if (ranking !== undefined) return { key, type: 'zset', names: [...ranking.keys()] };
    const ids = this.lists.get(key);
    return ids === undefined || ids.size === 0
      ? { key, type: 'none' }
      : { key, type: 'zset', names: [...ids].map(String) };
  }

  /** What a slice should hold. */
  content(slice: Slice): Content {
    const { key } = slice;
    if (slice.type === 'zset') return this.zsetContent(key, slice.names);
    const counter = this.counters.get(key);
    if (counter !== undefined) return { type: 'string', value: String(counter) };
    const hash = this.hashes.get(key);
    if (hash !== undefined) return { type: 'hash', fields: hash };
    const sums = this.fields.get(key);
    if (sums !== undefined) {
      return {
        type: 'hash',
        fields: Object.fromEntries([...sums].map(([field, sum]) => [field, String(sum)])),
      };
    }
    const block = this.blocks.get(key);
    if (block !== undefined && block.size > 0) return { type: 'set', members: [...block].map(String) };
    return { type: 'none' };
  }

  private zsetContent(key: string, members: string[]): Content {
    const ranking = this.rankings.get(key);
    const list = this.lists.get(key);
    const score = (member: string): string | null => {
      const sum = ranking?.get(member);
      if (sum !== undefined) return String(-sum);
      // '03' or '' is nobody's member, though it reads as the number of one.
      const id = Number(member);
      return String(id) === member && list?.has(id) === true ? member : null;
    };
    return {
      type: 'zset',
      size: ranking?.size ?? list?.size ?? 0,
      scores: new Map(members.map((member) => [member, score(member)])),
    };
  }
}

function* parts(slice: Slice): Generator<Slice> {
  if (slice.type !== 'zset') return yield slice;
  for (let at = 0; at < slice.names.length; at += MAX_SLICE_MEMBERS) {
    yield { ...slice, names: slice.names.slice(at, at + MAX_SLICE_MEMBERS) };
  }
}

function setListed(lists: Map<string, SortedIds>, key: string, id: number, listed: boolean): void {
  let ids = lists.get(key);
  if (ids === undefined) lists.set(key, (ids = new SortedIds()));
  if (listed) ids.add(id);
  else ids.delete(id);
  if (ids.isSpent) lists.delete(key);
}
