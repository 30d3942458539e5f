import { createHash } from 'node:crypto';
import type { Redis } from '../redis/client';
import type { Keys } from './keys';
import { ReadingScript, type Absent, type Reading } from './reading-script';

/** What a key holds. Of a sorted set only some members are looked at, and how many there are in all. */
export type Content =
  | { type: 'none' }
  | { type: 'string'; value: string }
  | { type: 'hash'; fields: Record<string, string> }
  /** Of whole numbers, in ascending order. */
  | { type: 'set'; members: string[] }
  | { type: 'zset'; size: number; scores: Map<string, string | null> }
  /** Not of the type that it should be. */
  | { type: 'other' };

/** Which key to look at, and as what: the fields of a hash, the members of a sorted set. */
export type Slice =
  { key: string; type: 'none' | 'string' | 'set' } | { key: string; type: 'hash' | 'zset'; names: string[] };

/** What the script says of a slice: its size (or whether it exists), and its values. 'other': another type. */
type Found = 'other' | [size: number, values: (string | Absent)[]];

const digests = new ReadingScript<string>(__dirname, 'slices');
const contents = new ReadingScript<Found[]>(__dirname, 'slices');

/** A digest of what Redis holds in these slices, computed there; see `digestOf`. */
export function readDigest(redis: Redis, keys: Keys, slices: Slice[]): Promise<Reading<string>> {
  return digests.run(redis, keys, [], ['digest', JSON.stringify(slices.map(itemOf))]);
}

/** What Redis holds in these slices, all at one moment. */
export async function readContents(redis: Redis, keys: Keys, slices: Slice[]): Promise<Reading<Content[]>> {
  const reading = await contents.run(redis, keys, [], ['contents', JSON.stringify(slices.map(itemOf))]);
  return (
    reading && {
      at: reading.at,
      value: slices.map((slice, index) => contentOf(slice, reading.value[index] ?? 'other')),
    }
  );
}

function itemOf(slice: Slice): string[] {
  return 'names' in slice ? [slice.type, slice.key, ...slice.names] : [slice.type, slice.key];
}

function contentOf(slice: Slice, found: Found): Content {
  if (found === 'other') return { type: 'other' };
  const [size, values] = found;
  switch (slice.type) {
    case 'none':
      return size === 0 ? { type: 'none' } : { type: 'other' };
    case 'string':
      return size === 0 ? { type: 'none' } : { type: 'string', value: values[0] || '' };
    case 'set':
      return size === 0 ? { type: 'none' } : { type: 'set', members: values.map((value) => value || '') };
    case 'hash': {
      if (size === 0) return { type: 'none' };
      const fields = slice.names.flatMap((name, index): [string, string][] => {
        const value = values[index];
        return value === undefined || value === false ? [] : [[name, value]];
      });
      // Fields that nobody asked for are told by their number alone.
      if (size > fields.length) fields.push(['unexpected fields', String(size - fields.length)]);
      return { type: 'hash', fields: Object.fromEntries(fields) };
    }
    case 'zset': {
      const scores = slice.names.map((name, index): [string, string | null] => [name, values[index] || null]);
      return { type: 'zset', size, scores: new Map(scores) };
    }
  }
}

/**
 * The digest that Redis would compute if it held these contents. The same digest means the same contents: values are parted
 * by characters that no value holds. Where one does, the digest is like no other, and the contents must be compared.
 */
export function digestOf(slices: Slice[], expected: Content[]): string {
  const texts = slices.map((slice, index) => textOf(slice, expected[index] ?? { type: 'none' }));
  const ambiguous = texts.some((text) => text === undefined);
  return ambiguous ? 'ambiguous' : createHash('sha1').update(texts.join('\x1e')).digest('hex');
}

/** Undefined where the text would not tell the content from others. */
function textOf(slice: Slice, content: Content): string | undefined {
  switch (content.type) {
    case 'none':
      return '0';
    case 'string':
      return textOfValues(1, [content.value]);
    case 'set':
      return textOfValues(content.members.length, content.members);
    case 'hash': {
      const names = slice.type === 'hash' ? slice.names : [];
      const size = Object.keys(content.fields).length;
      // Other fields were asked for than are expected by now.
      if (size !== names.length) return undefined;
      return textOfValues(
        size,
        names.map((name) => content.fields[name]),
      );
    }
    case 'zset':
      return textOfValues(content.size, [...content.scores.values()]);
    case 'other':
      return undefined;
  }
}

function textOfValues(size: number, values: (string | null | undefined)[]): string | undefined {
  if (values.length === 0) return String(size);
  const ambiguous = values.some(
    (value) => typeof value !== 'string' || value.includes('\x1e') || value.includes('\x1f'),
  );
  return ambiguous ? undefined : `${size}\x1f${values.join('\x1f')}`;
}

/** Whether two contents of the same slice are the same. */
export function isSameContent(a: Content, b: Content): boolean {
  return describeContent(a) === describeContent(b);
}

/** A content as text, in a canonical order; for people and for comparison. */
export function describeContent(content: Content): string {
  switch (content.type) {
    case 'none':
      return 'nothing';
    case 'other':
      return 'a value of another type';
    case 'string':
      return content.value;
    case 'hash':
      return JSON.stringify(Object.fromEntries(Object.entries(content.fields).sort(byFirst)));
    case 'set':
      return `{${content.members.join(', ')}}`;
    case 'zset': {
      const scores = [...content.scores]
        .sort(byFirst)
        .map(([member, score]) => `${member}: ${score ?? 'none'}`);
      return `${content.size} members, of them {${scores.join(', ')}}`;
    }
  }
}

function byFirst([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
