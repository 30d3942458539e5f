import { Accumulation } from './accumulation';
import type { Operation } from './operations';

/** Members or ids in one command, so that its arguments stay far below the limit of Lua's `unpack`. */
const MAX_MEMBERS = 500;

/**
 * What a sequence of operations changes: amounts of one target are added up, of settings the last one counts, and what
 * concerns one key goes into one command. Ten orders of ten products make one `rank` with ten members.
 */
export class Changes extends Accumulation {
  /** Whole hashes; null: deleted. */
  private readonly hashes = new Map<string, Record<string, string> | null>();
  /** Ids, and whether each is to be in the list. */
  private readonly lists = new Map<string, Map<number, boolean>>();
  private readonly blocks = new Map<string, { index: string; block: number; ids: Map<number, boolean> }>();
  /** How many operations were added, which is more than they come to. */
  size = 0;

  override add(operation: Operation): void {
    this.size += 1;
    super.add(operation);
  }

  /**
   * As `operations.lua` takes them. One argument, and not one for each word: for Node and for Redis a JSON text is several
   * times cheaper than the same words as arguments of a command.
   */
  encode(): string {
    return JSON.stringify([...this.commands()]);
  }

  /** As `encode`, in parts that together have the same effect, each of about as many words at most. */
  *encodeParts(maxWords: number): Generator<string> {
    let part: string[][] = [];
    let words = 0;
    for (const command of this.commands()) {
      part.push(command);
      words += command.length;
      if (words < maxWords) continue;
      yield JSON.stringify(part);
      part = [];
      words = 0;
    }
    if (part.length > 0) yield JSON.stringify(part);
  }

  protected override setHash(key: string, fields: Record<string, string> | null): void {
    this.hashes.set(key, fields);
  }

  protected override setListed(key: string, id: number, listed: boolean): void {
    let ids = this.lists.get(key);
    if (ids === undefined) this.lists.set(key, (ids = new Map()));
    ids.set(id, listed);
  }

  protected override setInBlock({
    key,
    id,
    listed,
    index,
    block,
  }: Extract<Operation, { kind: 'block' }>): void {
    let known = this.blocks.get(key);
    if (known === undefined) this.blocks.set(key, (known = { index, block, ids: new Map() }));
    known.ids.set(id, listed);
  }

  private *commands(): Generator<[string, ...string[]]> {
    for (const [key, fields] of this.hashes) {
      if (fields === null) yield ['DEL', key];
      else yield hset(key, fields);
    }
    for (const [key, by] of this.counters) yield ['count', key, String(by)];
    for (const [key, sums] of this.fields) {
      for (const [field, by] of sums) yield ['count-field', key, field, String(by)];
    }
    for (const [key, sums] of this.rankings) {
      const members: string[] = [];
      for (const [member, by] of sums) members.push(String(-by), member);
      for (const part of parts(members, 2 * MAX_MEMBERS)) yield ['rank', key, ...part];
    }
    for (const [key, ids] of this.lists) {
      for (const part of parts(chosen(ids, true), MAX_MEMBERS)) yield ['list', key, ...part];
      for (const part of parts(chosen(ids, false), MAX_MEMBERS)) yield ['ZREM', key, ...part];
    }
    for (const [key, { index, block, ids }] of this.blocks) {
      const where = [key, index, String(block)] as const;
      for (const part of parts(chosen(ids, true), MAX_MEMBERS)) yield ['block', ...where, ...part];
      for (const part of parts(chosen(ids, false), MAX_MEMBERS)) yield ['unblock', ...where, ...part];
    }
  }
}

/** With a loop, as the others here: every order passes, and `flat` and `flatMap` cost several times as much. */
function hset(key: string, fields: Record<string, string>): [string, ...string[]] {
  const words: [string, ...string[]] = ['HSET', key];
  for (const [field, value] of Object.entries(fields)) words.push(field, value);
  return words;
}

function chosen(ids: Map<number, boolean>, wanted: boolean): string[] {
  const list: string[] = [];
  for (const [id, listed] of ids) if (listed === wanted) list.push(String(id));
  return list;
}

function* parts(list: string[], size: number): Generator<string[]> {
  if (list.length > 0 && list.length <= size) yield list;
  else for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}
