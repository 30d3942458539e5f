import { createHash } from 'node:crypto';
import type { Content, Slice } from './inspect';
import type { Keys } from './keys';
import type { ScriptedRedis } from './scripts';

/**
 * A digest of what Redis holds in these slices, computed there in one script together with `applied`; see
 * `scripts/digest.lua`. Of a hash only the fields that `expected` names are looked at, and how many there are.
 */
export async function readDigest(
  redis: ScriptedRedis,
  keys: Keys,
  slices: Slice[],
  expected: Content[],
): Promise<{ applied: string | null; digest: string }> {
  const items = slices.map((slice, index) => {
    const content = expected[index];
    if (slice.type === 'zset') return [slice.type, slice.key, ...slice.members];
    if (content?.type === 'hash') return [slice.type, slice.key, ...Object.keys(content.fields)];
    return [slice.type, slice.key];
  });
  const [applied, digest] = await redis.tallyDigest(keys.applied, keys.writes, JSON.stringify(items));
  return { applied, digest };
}

/** The digest that Redis would compute if it held these contents; the same digest means the same contents. */
export function digestOf(slices: Slice[], contents: Content[]): string {
  const text: string[] = [];
  for (const [index, slice] of slices.entries()) {
    const content = contents[index] ?? { type: 'none' };
    switch (slice.type) {
      case 'none':
        text.push(content.type === 'none' ? '0' : '1');
        break;
      case 'string':
        text.push(content.type === 'string' ? measured(content.value) : '-');
        break;
      case 'hash': {
        const values = content.type === 'hash' ? Object.values(content.fields) : [];
        text.push(String(values.length), ...values.map(measured));
        break;
      }
      case 'set': {
        // A set of integers is kept in their order; of any other the digest differs, and it is looked at in full.
        const members = content.type === 'set' ? content.members.map(Number).sort((a, b) => a - b) : [];
        text.push(String(members.length), ...members.map((member) => measured(String(member))));
        break;
      }
      case 'zset': {
        if (content.type !== 'zset') return 'not a sorted set';
        text.push(String(content.size));
        for (const score of content.scores.values()) text.push(score === null ? '-' : measured(score));
        break;
      }
    }
  }
  return createHash('sha1').update(text.join(' ')).digest('hex');
}

function measured(value: string): string {
  return `${Buffer.byteLength(value)} ${value}`;
}
