import fc from 'fast-check';
import { createLogger, openCore, redisReady, type Core } from '../src/app';
import { formatTip } from '../src/domain/events';
import { Keys, rankedId, rankingMember, type Period } from '../src/read-model/keys';
import { topProductsOfPeriods } from '../src/read-model/scripts';
import { newPlace, type Place } from './support/tally';

const PERIODS = Array.from({ length: 6 }, (_, index): Period => `day:2026-01-0${index + 1}`);

let place: Place;
let core: Core;

beforeAll(async () => {
  place = await newPlace();
  core = openCore(place.config, createLogger({ LOG_LEVEL: 'silent' }));
  await redisReady(core.redis.projector, 5000);
});

afterAll(async () => {
  await core.close();
  await place.close();
});

interface Sale {
  period: number;
  product: number;
  units: number;
  revenue: number;
}

async function store(keys: Keys, sales: Sale[]): Promise<void> {
  const pipeline = place.redis.pipeline().set(keys.applied, formatTip({ position: 1, commandId: 'ab' }));
  for (const { period, product, units, revenue } of sales) {
    const member = rankingMember(product);
    pipeline.zincrby(keys.productRanking('sold', PERIODS[period]), -units, member);
    if (revenue > 0) pipeline.zincrby(keys.productRanking('revenue', PERIODS[period]), -revenue, member);
  }
  await pipeline.exec();
}

/** Product, units, revenue. */
function plainTop(sales: Sale[], limit: number): [number, number, number][] {
  const sums = new Map<number, [number, number]>();
  for (const { product, units, revenue } of sales) {
    const [beforeUnits, beforeRevenue] = sums.get(product) ?? [0, 0];
    sums.set(product, [beforeUnits + units, beforeRevenue + revenue]);
  }
  return [...sums]
    .map(([product, [units, revenue]]): [number, number, number] => [product, units, revenue])
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, limit);
}

test('whatever part of the rankings is read, the top is told exactly or not at all', async () => {
  const sale = fc.record({
    period: fc.nat(5),
    product: fc.integer({ min: 1, max: 120 }),
    units: fc.integer({ min: 1, max: 4 }), // many ties
    revenue: fc.integer({ min: 0, max: 3 }),
  });
  let generation = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(sale, { minLength: 1, maxLength: 150 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(10),
      fc.integer({ min: 20, max: 400 }),
      async (sales, limit, more, maxMembers) => {
        const keys = new Keys(place.prefix, `top${generation++}`);
        await store(keys, sales);
        const ask = async (depth: number, most: number) => {
          const query = { periods: PERIODS, measure: 'sold' as const, limit, depth, maxMembers: most };
          const reading = await topProductsOfPeriods(core.redis.projector, keys, query);
          if (reading.applied === null) throw new Error('nothing was read');
          if (typeof reading.value === 'string') return reading.value;
          return reading.value.map(([member, sum, other]) => [
            rankedId(member),
            -Number(sum),
            -Number(other),
          ]);
        };
        const shallow = await ask(limit + more, maxMembers);
        const expected = plainTop(sales, limit);
        if (typeof shallow !== 'string') expect(shallow).toEqual(expected);
        expect(await ask(200, 10_000)).toEqual(expected);
      },
    ),
    { numRuns: 150, endOnFailure: true },
  );
});

test.each([
  ['deeper', 2, 100],
  ['too much', 2, 5],
  ['too much', 8, 20],
] as const)(
  'says %s of a great tie where %i members are read of each, %i in all',
  async (said, depth, maxMembers) => {
    const keys = new Keys(place.prefix, `tie${depth}${maxMembers}`);
    const products = Array.from({ length: 10 }, (_, index) => index + 1);
    const sales = PERIODS.flatMap((_, period) =>
      products.map((product): Sale => ({ period, product, units: 1, revenue: 1 })),
    );
    await store(keys, sales);
    const query = { periods: PERIODS, measure: 'sold' as const, limit: 2, depth, maxMembers };
    expect(await topProductsOfPeriods(core.redis.projector, keys, query)).toMatchObject({ value: said });
  },
);

test.each([
  ['a sum of 2^53', -(2 ** 53 - 1), -1],
  ['an infinite score', -Infinity, -5],
])('%s is stated as not known exactly', async (_, first, second) => {
  const keys = new Keys(place.prefix, `inexact${-second}`);
  await store(keys, [{ period: 0, product: 2, units: 7, revenue: 0 }]);
  await place.redis.zadd(keys.productRanking('sold', PERIODS[0]), first, rankingMember(1));
  await place.redis.zadd(keys.productRanking('sold', PERIODS[1]), second, rankingMember(1));
  const query = { periods: PERIODS, measure: 'sold' as const, limit: 2, depth: 4, maxMembers: 100 };
  expect(await topProductsOfPeriods(core.redis.projector, keys, query)).toMatchObject({
    value: [
      [rankingMember(1), '-inf', '-0', '', ''],
      [rankingMember(2), '-7', '-0', '', ''],
    ],
  });
});
