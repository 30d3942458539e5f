import { productId } from '../src/domain/ids';
import { readTogether } from '../src/read-model/read-together';
import { readTotals } from '../src/queries/totals';
import { AT, newGenerations, type Generations } from './support/generation';

let generations: Generations;

beforeAll(() => {
  generations = newGenerations();
});

afterAll(async () => {
  await generations.close();
});

describe('commands that are read together', () => {
  test('are answered in their order, by lists, with false for nil', async () => {
    const { redis } = generations;
    const keys = await generations.create();
    await redis.set(keys.productSold(productId(1)), 7);
    await redis.hset(keys.product(productId(1)), { name: 'Grüner "Tee" 🍵', sku: 'T' });
    await redis.zadd(keys.usersSpent, -(2 ** 53 - 1), '01', -5, '02');
    const reading = await readTogether(redis, keys, [
      ['GET', keys.productSold(productId(1))],
      ['GET', keys.productSold(productId(2))],
      ['HMGET', keys.product(productId(1)), 'sku', 'price', 'name'],
      ['HMGET', keys.product(productId(2)), 'sku'],
      ['ZRANGE', keys.usersSpent, '0', '9', 'WITHSCORES'],
      ['ZRANGE', keys.productRanking('sold'), '0', '9'],
      ['ZMSCORE', keys.usersSpent, '02', '03'],
    ]);
    expect(reading).toEqual({
      at: AT,
      value: [
        ['7'],
        [false],
        ['T', false, 'Grüner "Tee" 🍵'],
        [false],
        ['01', '-9007199254740991', '02', '-5'],
        [],
        ['-5', false],
      ],
    });
  });

  test('may be none: then only the position is told', async () => {
    expect(await readTogether(generations.redis, await generations.create(), [])).toEqual({
      at: AT,
      value: [],
    });
  });

  test('a key of another type is an error, not nothing', async () => {
    const keys = await generations.create();
    await generations.redis.sadd(keys.productSold(productId(1)), 'x');
    await expect(
      readTogether(generations.redis, keys, [['GET', keys.productSold(productId(1))]]),
    ).rejects.toThrow('WRONGTYPE');
  });
});

describe('a generation is not read', () => {
  test.each([
    ['has no checkpoint', {}],
    ['is being filled', { at: 'filling:token:3', begun: 1, ended: 1 }],
    ['holds half a write', { at: `1:${AT.eventId}`, begun: 2, ended: 1 }],
    ['has a checkpoint that was edited by hand', { at: '1', begun: 0, ended: 0 }],
  ])('that %s', async (_, checkpoint: Record<string, string | number>) => {
    const { redis } = generations;
    const keys = await generations.create({ complete: false });
    if (Object.keys(checkpoint).length > 0) await redis.hset(keys.checkpoint, checkpoint);
    expect(await readTogether(redis, keys, [])).toBeUndefined();
  });
});

test('totals that do not exist are zero, and large ones are exact', async () => {
  const { redis } = generations;
  const keys = await generations.create();
  await redis.hset(keys.totals(), { orders: 3, units: 5, revenue: 2 ** 53 - 1 });
  expect(await readTotals(redis, keys, ['day:2026-01-01', undefined])).toEqual({
    at: AT,
    value: [
      { orders: 0, units: 0, revenue: 0n },
      { orders: 3, units: 5, revenue: 9_007_199_254_740_991n },
    ],
  });
});
