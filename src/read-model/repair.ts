import type { Content } from './slices';

/** Values in one command, far below the limit of Lua's `unpack`; even, so that pairs stay together. */
const MAX_VALUES = 1000;

/**
 * The operations that make a damaged slice what it should be, as `operations.lua` takes them. Each states what the key
 * holds, so running them twice does no harm.
 */
export function repairOf(key: string, expected: Content, found: Content): string {
  return JSON.stringify([...commands(key, expected, found)]);
}

function* commands(key: string, expected: Content, found: Content): Generator<string[]> {
  switch (expected.type) {
    case 'none':
    case 'other':
      yield ['DEL', key];
      return;
    case 'string':
      yield ['SET', key, expected.value];
      return;
    case 'hash':
      yield ['DEL', key];
      yield* parts('HSET', key, Object.entries(expected.fields).flat());
      return;
    case 'set':
      yield ['DEL', key];
      yield* parts('SADD', key, expected.members);
      return;
    case 'zset': {
      if (found.type !== 'zset') yield ['DEL', key];
      const scores = [...expected.scores];
      yield* parts(
        'ZADD',
        key,
        scores.flatMap(([member, score]) => (score === null ? [] : [score, member])),
      );
      yield* parts(
        'ZREM',
        key,
        scores.flatMap(([member, score]) => (score === null ? [member] : [])),
      );
    }
  }
}

function* parts(command: string, key: string, values: string[]): Generator<string[]> {
  for (let at = 0; at < values.length; at += MAX_VALUES) {
    yield [command, key, ...values.slice(at, at + MAX_VALUES)];
  }
}
