import { createHash } from 'node:crypto';
import type { Content, Slice } from './inspect';
import type { Keys } from './keys';
import { isWrongType } from '../redis/client';
import type { ScriptedRedis } from './scripts';

/**
 * A digest of what Redis holds in these slices, computed there in one script together with `applied`; see
 * `scripts/digest.lua`. Of a hash the fields that `expected` has are looked at, and how many there are.
 */
export async function readDigest(
  redis: ScriptedRedis,
  keys: Keys,
  slices: Slice[],
  expected: (slice: Slice) => Content,
): Promise<{ applied: string | null; digest: string }> {
  const items = slices.map((slice) => {
    switch (slice.type) {
      case 'zset':
        return [slice.type, slice.key, ...slice.members];
      case 'hash': {
        const content = expected(slice);
        return [slice.type, slice.key, ...(content.type === 'hash' ? Object.keys(content.fields) : [])];
      }
      case 'none':
      case 'string':
      case 'set':
        return [slice.type, slice.key];
    }
  });
  try {
    const [applied, digest] = await redis.tallyDigest(keys.applied, keys.writes, JSON.stringify(items));
    return { applied, digest };
  } catch (error) {
    if (isWrongType(error)) return { applied: null, digest: '' }; // `applied` itself
    throw error;
  }
}

/**
 * The digest that Redis would compute if it held these contents. The same digest means the same contents: the texts are
 * parted by characters that no value holds. Where one does, the digest is like no other, and the values must be compared.
 */
export function digestOf(slices: Slice[], contents: Content[]): string {
  const texts = slices.map((slice, index) => textOf(slice, contents[index] ?? { type: 'none' }));
  const ambiguous = texts.some((text) => text === undefined);
  return ambiguous ? 'ambiguous' : createHash('sha1').update(texts.join('\x1e')).digest('hex');
}

/** Undefined where the text would not tell the content from others. */
function textOf(slice: Slice, content: Content): string | undefined {
  switch (slice.type) {
    case 'none':
      return content.type === 'none' ? '0' : undefined;
    case 'string':
      return content.type === 'string' ? `=${content.value}` : 'none';
    case 'hash': {
      if (content.type !== 'hash') return '0';
      const values = Object.values(content.fields);
      return values.some(holdsParting) ? undefined : sized(values.length, values);
    }
    case 'set': {
      // A set of integers is kept in their order; of any other the digest differs.
      const members = content.type === 'set' ? content.members.map(Number).sort((a, b) => a - b) : [];
      return sized(members.length, members.map(String));
    }
    case 'zset': {
      if (content.type !== 'zset') return undefined;
      const scores = [...content.scores.values()];
      return scores.includes(null) ? undefined : sized(content.size, scores);
    }
  }
}

function sized(size: number, values: (string | null)[]): string {
  return values.length === 0 ? String(size) : `${size}\x1f${values.join('\x1f')}`;
}

function holdsParting(value: string): boolean {
  return value.includes('\x1e') || value.includes('\x1f');
}
