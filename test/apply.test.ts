import { Redis } from 'ioredis';
import type { Tip } from '../src/domain/events';
import { Changes } from '../src/read-model/changes';
import { Keys } from '../src/read-model/keys';
import type { Operation } from '../src/read-model/operations';
import {
  apply,
  fill,
  finish,
  flip,
  restore,
  withScripts,
  type ScriptedRedis,
} from '../src/read-model/scripts';
import { privateRedis } from './support/private-redis';
import { keysOf } from './support/tally';

const tip = (position: number, letter: string): Tip => ({ position, commandId: letter.repeat(32) });
const text = ({ position, commandId }: Tip) => `${position}:${commandId}`;

let redis: ScriptedRedis;
let serial = 0;
let keys: Keys;

const sale = (): Operation[] => [{ kind: 'count', key: keys.productSold(1), by: 5n }];
function changes(operations: Operation[]): Changes {
  const joined = new Changes();
  for (const operation of operations) joined.add(operation);
  return joined;
}

const sold = () => redis.get(keys.productSold(1));

beforeAll(() => {
  redis = withScripts(new Redis(process.env.REDIS_URL ?? ''));
});

beforeEach(async () => {
  keys = new Keys(`apply${process.pid}`, `g${++serial}`);
  await redis.set(keys.applied, text(tip(1, 'a')));
});

afterAll(async () => {
  const all = await keysOf(redis, `apply${process.pid}`);
  if (all.length > 0) await redis.del(all);
  redis.disconnect();
});

describe('the apply script', () => {
  test('applied: changes the data and the tip together', async () => {
    const outcome = await apply(redis, keys, {
      expected: tip(1, 'a'),
      next: tip(3, 'c'),
      changes: changes(sale()),
    });
    expect(outcome).toEqual({ status: 'applied', detail: text(tip(3, 'c')) });
    expect(await redis.get(keys.applied)).toBe(text(tip(3, 'c')));
    expect(await sold()).toBe('5');
  });

  test('already: a batch that is applied again changes nothing', async () => {
    const batch = { expected: tip(1, 'a'), next: tip(3, 'c'), changes: changes(sale()) };
    await apply(redis, keys, batch);
    expect((await apply(redis, keys, batch)).status).toBe('already');
    await redis.set(keys.applied, text(tip(9, 'f')));
    expect((await apply(redis, keys, batch)).status).toBe('already');
    expect(await sold()).toBe('5');
  });

  test('overlap: someone applied the first part', async () => {
    await redis.set(keys.applied, text(tip(2, 'b')));
    const outcome = await apply(redis, keys, {
      expected: tip(1, 'a'),
      next: tip(3, 'c'),
      changes: changes(sale()),
    });
    expect(outcome).toEqual({ status: 'overlap', detail: text(tip(2, 'b')) });
    expect(await sold()).toBeNull();
  });

  test('behind: events before it are missing', async () => {
    const outcome = await apply(redis, keys, {
      expected: tip(2, 'b'),
      next: tip(3, 'c'),
      changes: changes(sale()),
    });
    expect(outcome).toEqual({ status: 'behind', detail: text(tip(1, 'a')) });
    expect(await sold()).toBeNull();
  });

  test('missing: not a complete model', async () => {
    await redis.del(keys.applied);
    const outcome = await apply(redis, keys, {
      expected: tip(1, 'a'),
      next: tip(2, 'b'),
      changes: changes(sale()),
    });
    expect(outcome.status).toBe('missing');
    expect(await sold()).toBeNull();
  });

  test.each([
    ['at the expected position', '1:' + 'f'.repeat(32)],
    ['at the next position', '2:' + 'f'.repeat(32)],
    ['that is not a tip', 'nonsense'],
  ])('foreign: another event %s', async (_, applied) => {
    await redis.set(keys.applied, applied);
    const outcome = await apply(redis, keys, {
      expected: tip(1, 'a'),
      next: tip(2, 'b'),
      changes: changes(sale()),
    });
    expect(outcome).toEqual({ status: 'foreign', detail: applied });
    expect(await sold()).toBeNull();
  });

  test('fenced: only the holder of the fence applies', async () => {
    await redis.set(keys.fence, 'token', 'PX', 60_000);
    const batch = { expected: tip(1, 'a'), next: tip(2, 'b'), changes: changes(sale()) };
    expect((await apply(redis, keys, batch)).status).toBe('fenced');
    expect(await sold()).toBeNull();
    expect((await apply(redis, keys, batch, 'token')).status).toBe('applied');
  });

  test('broken: an operation that fails half-way takes the model out of use', async () => {
    await redis.set(keys.totals(), 'not a hash');
    const operations: Operation[] = [
      ...sale(),
      { kind: 'count-field', key: keys.totals(), field: 'orders', by: 1n },
    ];
    const outcome = await apply(redis, keys, {
      expected: tip(1, 'a'),
      next: tip(2, 'b'),
      changes: changes(operations),
    });
    expect(outcome.status).toBe('broken');
    expect(outcome.detail).toContain('WRONGTYPE');
    expect(await redis.exists(keys.applied)).toBe(0);
  });

  test('oom: a full memory is said before anything is changed, and is no reason to give the model up', async () => {
    const own = await privateRedis();
    try {
      const full = withScripts(own.client);
      await full.set(keys.applied, text(tip(1, 'a')));
      await full.config('SET', 'maxmemory', '1');
      const batch = { expected: tip(1, 'a'), next: tip(2, 'b'), changes: changes(sale()) };
      expect((await apply(full, keys, batch)).status).toBe('oom');
      expect(await full.get(keys.applied)).toBe(text(tip(1, 'a')));
      expect(await full.exists(keys.productSold(1))).toBe(0);
      await full.config('SET', 'maxmemory', '0');
      expect((await apply(full, keys, batch)).status).toBe('applied');
    } finally {
      await own.stop();
    }
  });

  test('a member or counter exists exactly when it is not zero', async () => {
    const both = (by: bigint): Operation[] => [
      { kind: 'count', key: keys.productSold(1), by },
      { kind: 'count-field', key: keys.totals(), field: 'orders', by },
      { kind: 'rank', key: keys.usersSpent, member: '05', by },
    ];
    await apply(redis, keys, { expected: tip(1, 'a'), next: tip(2, 'b'), changes: changes(both(7n)) });
    expect(await redis.zscore(keys.usersSpent, '05')).toBe('-7');
    await apply(redis, keys, { expected: tip(2, 'b'), next: tip(3, 'c'), changes: changes(both(-7n)) });
    expect(await redis.exists(keys.productSold(1), keys.totals(), keys.usersSpent)).toBe(0);
  });

  test('a sum beyond 2^53 is marked instead of being off by a cent, and stays marked', async () => {
    const rank = (by: bigint): Operation[] => [{ kind: 'rank', key: keys.usersSpent, member: '05', by }];
    const half = 2n ** 52n;
    await apply(redis, keys, { expected: tip(1, 'a'), next: tip(2, 'b'), changes: changes(rank(half + 1n)) });
    expect(await redis.zscore(keys.usersSpent, '05')).toBe(String(-(half + 1n)));
    await apply(redis, keys, { expected: tip(2, 'b'), next: tip(3, 'c'), changes: changes(rank(half)) });
    expect(await redis.zscore(keys.usersSpent, '05')).toBe('-inf');
    await apply(redis, keys, { expected: tip(3, 'c'), next: tip(4, 'd'), changes: changes(rank(-half)) });
    expect(await redis.zscore(keys.usersSpent, '05')).toBe('-inf');
  });
});

describe('building a generation', () => {
  test('every chunk is written once and in turn, and the last one makes the model complete', async () => {
    const built = new Keys(keys.prefix, `${keys.generation}b`);
    await redis.set(built.building, 'token:0');
    const five = changes([{ kind: 'count', key: built.productSold(1), by: 5n }]).encode();
    expect((await fill(redis, built, 'token', 0, five)).status).toBe('applied');
    expect((await fill(redis, built, 'token', 0, five)).status).toBe('already');
    expect((await fill(redis, built, 'token', 2, five)).status).toBe('missing');
    expect((await fill(redis, built, 'other', 1, five)).status).toBe('missing');
    expect((await finish(redis, built, 'token', 2, tip(1, 'a'))).status).toBe('missing');
    expect((await finish(redis, built, 'token', 1, tip(1, 'a'))).status).toBe('applied');
    expect((await finish(redis, built, 'token', 1, tip(1, 'a'))).status).toBe('already');
    expect(await redis.get(built.productSold(1))).toBe('5');
    expect(await redis.get(built.applied)).toBe(text(tip(1, 'a')));
  });

  test('a generation goes live once, and never with less than the old one has', async () => {
    const live = `${keys.prefix}:live:1`;
    await redis.set(live, keys.generation);
    const next = new Keys(keys.prefix, `${keys.generation}n`);
    expect((await flip(redis, next, keys)).status).toBe('missing');
    await redis.set(next.applied, text(tip(0, 'c')));
    expect((await flip(redis, next, keys)).status).toBe('behind');
    await redis.set(next.applied, text(tip(2, 'c')));
    expect((await flip(redis, next, undefined)).status).toBe('overlap');
    expect((await flip(redis, next, keys)).status).toBe('applied');
    expect((await flip(redis, next, keys)).status).toBe('already');
    expect(await redis.get(live)).toBe(next.generation);
  });

  test('a repair is written at the position that it was computed for, or not at all', async () => {
    const values = [{ key: keys.productSold(1), content: { type: 'string', value: '9' } as const }];
    expect((await restore(redis, keys, tip(0, 'a'), values)).status).toBe('behind');
    expect(await sold()).toBeNull();
    expect((await restore(redis, keys, tip(1, 'a'), values)).status).toBe('applied');
    expect(await sold()).toBe('9');
  });
});
