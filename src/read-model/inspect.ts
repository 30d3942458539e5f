import type { Keys } from './keys';
import { isWrongType } from '../redis/client';
import type { ScriptedRedis } from './scripts';

/** What a key holds. Of a sorted set only some members are looked at, and how many there are in all. */
export type Content =
  | { type: 'none' }
  | { type: 'string'; value: string }
  | { type: 'hash'; fields: Record<string, string> }
  | { type: 'set'; members: string[] }
  | { type: 'zset'; size: number; scores: Map<string, string | null> }
  /** Not of the type that it should be. */
  | { type: 'other' };

/** Which key to look at, and as what. */
export type Slice =
  | { key: string; type: 'none' | 'string' | 'hash' | 'set' }
  | { key: string; type: 'zset'; members: string[] };

/** A reading of several keys at one moment. */
export interface Inspection {
  /** As it stands in Redis; null where the generation is lost. */
  applied: string | null;
  contents: Content[];
}

/** Reads slices atomically, together with `applied`. */
export async function inspect(redis: ScriptedRedis, keys: Keys, slices: Slice[]): Promise<Inspection> {
  const multi = redis.multi().get(keys.applied).hmget(keys.writes, 'begun', 'ended');
  for (const slice of slices) {
    switch (slice.type) {
      case 'none':
        multi.exists(slice.key);
        break;
      case 'string':
        multi.get(slice.key);
        break;
      case 'hash':
        multi.hgetall(slice.key);
        break;
      case 'set':
        multi.smembers(slice.key);
        break;
      case 'zset':
        multi.zcard(slice.key);
        if (slice.members.length > 0) multi.zmscore(slice.key, ...slice.members);
        break;
    }
  }
  const replies = await multi.exec();
  if (replies === null) throw new Error('a MULTI without an answer');
  let next = 0;
  const take = (): unknown => {
    const [error, reply] = replies[next++] ?? [new Error('a MULTI with too few answers'), null];
    if (error === null) return reply;
    if (isWrongType(error)) return WRONG_TYPE;
    throw error;
  };
  const applied = take();
  const writes = take();
  const isWhole = Array.isArray(writes) && writes[0] === writes[1]; // as in complete.lua
  return {
    applied: typeof applied === 'string' && isWhole ? applied : null,
    contents: slices.map((slice) => contentOf(slice, take)),
  };
}

const WRONG_TYPE = Symbol('wrong type');

function contentOf(slice: Slice, take: () => unknown): Content {
  const reply = take();
  const scores = slice.type === 'zset' && slice.members.length > 0 ? take() : [];
  if (reply === WRONG_TYPE) return { type: 'other' };
  switch (slice.type) {
    case 'none':
      return reply === 1 ? { type: 'other' } : { type: 'none' };
    case 'string':
      return reply === null ? { type: 'none' } : { type: 'string', value: reply as string };
    case 'hash': {
      const fields = reply as Record<string, string>;
      return Object.keys(fields).length === 0 ? { type: 'none' } : { type: 'hash', fields };
    }
    case 'set': {
      const members = reply as string[];
      return members.length === 0 ? { type: 'none' } : { type: 'set', members };
    }
    case 'zset': {
      const list = scores as (string | null)[];
      const pairs = slice.members.map((member, index): [string, string | null] => [
        member,
        list[index] ?? null,
      ]);
      return { type: 'zset', size: reply as number, scores: new Map(pairs) };
    }
  }
}

/** Whether two contents of the same slice are the same. */
export function sameContent(a: Content, b: Content): boolean {
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
      return `{${[...content.members].sort().join(', ')}}`;
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
