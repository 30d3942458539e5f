import fc from 'fast-check';
import { Turns } from '../src/concurrency';
import { productId } from '../src/domain/ids';
import { rankedAmount } from '../src/read-model/reading-script';
import { readHeads, topOfPeriods, topOfSettled, type TopProduct } from '../src/queries/top-of-periods';
import { dayOf, rankedProduct, rankingMember, type Keys, type Period } from '../src/read-model/keys';
import { AT, newGenerations, type Generations } from './support/generation';

const PERIODS = Array.from({ length: 6 }, (_, index): Period => `day:2026-01-0${index + 1}`);

let generations: Generations;
let reader: Parameters<typeof topOfPeriods>[0];

const one = { limit: 1, maxWaiting: 0, waitMs: 0, refusal: () => new Error('there is no room to wait') };

beforeAll(() => {
  generations = newGenerations();
  reader = {
    redis: generations.redis,
    turns: { wide: new Turns(one), whole: new Turns(one) },
  };
});

afterAll(async () => {
  await generations.close();
});

interface Sale {
  period: number;
  product: number;
  units: number;
  revenue: number;
}

const sale: fc.Arbitrary<Sale> = fc.record({
  period: fc.nat(5),
  product: fc.integer({ min: 1, max: 120 }),
  units: fc.integer({ min: 1, max: 4 }), // many ties
  revenue: fc.integer({ min: 0, max: 3 }),
});

async function store(sales: Sale[]): Promise<Keys> {
  const keys = await generations.create();
  const pipeline = generations.redis.pipeline();
  for (const { period, product, units, revenue } of sales) {
    const member = rankingMember(productId(product));
    pipeline.zincrby(keys.productRanking('sold', PERIODS[period]), -units, member);
    if (revenue > 0) pipeline.zincrby(keys.productRanking('revenue', PERIODS[period]), -revenue, member);
  }
  await pipeline.exec();
  return keys;
}

/** Product, units, revenue. */
type Row = [number, number, number];

const rowOf = ([member, units, revenue]: TopProduct): Row => [
  rankedProduct(member),
  rankedAmount(units),
  rankedAmount(revenue),
];

function plainTop(sales: Sale[], limit: number): Row[] {
  const sums = new Map<number, [number, number]>();
  for (const { product, units, revenue } of sales) {
    const [beforeUnits, beforeRevenue] = sums.get(product) ?? [0, 0];
    sums.set(product, [beforeUnits + units, beforeRevenue + revenue]);
  }
  return [...sums]
    .map(([product, [units, revenue]]): Row => [product, units, revenue])
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, limit);
}

test('whatever part of the rankings is read, the top is told exactly or not at all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sale, { minLength: 1, maxLength: 150 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(10),
      fc.integer({ min: 20, max: 400 }),
      async (sales, limit, more, maxMembers) => {
        const keys = await store(sales);
        const query = { periods: PERIODS, measure: 'sold' as const, limit };
        const ask = async (depth: number, most: number) => {
          const reading = await readHeads(generations.redis, keys, { ...query, depth, maxMembers: most });
          expect(reading?.at).toEqual(AT);
          return typeof reading?.value === 'string' ? reading.value : reading?.value.map(rowOf);
        };
        const expected = plainTop(sales, limit);
        const shallow = await ask(limit + more, maxMembers);
        if (typeof shallow !== 'string') expect(shallow).toEqual(expected);
        expect(await ask(200, 10_000)).toEqual(expected);
        const whole = await topOfSettled(generations.redis, keys, query);
        expect([whole?.at, whole?.value.map(rowOf)]).toEqual([AT, expected]);
      },
    ),
    { numRuns: 150, endOnFailure: true },
  );
});

const evenSales = (products: number): Sale[] =>
  PERIODS.flatMap((_, period) =>
    Array.from({ length: products }, (__, index) => ({ period, product: index + 1, units: 1, revenue: 1 })),
  );

test.each([
  ['deeper', 2, 100],
  ['too much', 2, 5],
  ['too much', 8, 20],
] as const)(
  'says %s of a great tie where %i members are read of each, %i in all',
  async (said, depth, maxMembers) => {
    const keys = await store(evenSales(10));
    const query = { periods: PERIODS, measure: 'sold' as const, limit: 2, depth, maxMembers };
    expect(await readHeads(generations.redis, keys, query)).toEqual({ at: AT, value: said });
  },
);

const query = { periods: PERIODS, measure: 'sold' as const, limit: 2 };

test('a tie that no head decides is read whole, over more than one page', async () => {
  const keys = await store(evenSales(6000));
  const reading = await topOfPeriods(reader, keys, query);
  expect(reading?.value.map(rowOf)).toEqual([
    [1, 6, 6],
    [2, 6, 6],
  ]);
});

/** More units of a product, whose amounts in both rankings and the totals of the period change. */
async function sell(keys: Keys, period: Period, product: number, units = 1): Promise<void> {
  const member = rankingMember(productId(product));
  await generations.redis
    .multi()
    .zincrby(keys.productRanking('sold', period), -units, member)
    .zincrby(keys.productRanking('revenue', period), -units, member)
    .hincrby(keys.totals(period), 'units', units)
    .exec();
}

const DAY = 86_400_000;
const daysAgo = (days: number) => dayOf(new Date(Date.now() - days * DAY).toISOString());

test.each([
  ['of today', 0],
  ['of another day, which is then among those that move', 3],
])('a tie that no head decides is read exactly while orders %s are written', async (_, sold) => {
  const periods = [3, 2, 1, 0].map(daysAgo);
  const keys = await generations.create();
  const pipeline = generations.redis.pipeline();
  for (const period of periods) {
    for (let product = 1; product <= 2500; product++) {
      const member = rankingMember(productId(product));
      pipeline.zadd(keys.productRanking('sold', period), -1, member);
      pipeline.zadd(keys.productRanking('revenue', period), -1, member);
    }
  }
  await pipeline.exec();

  // One product after the other sells one more, so each moment has a top of its own: the newest 1, 2, 3, ... of them.
  let product = 0;
  let done = false;
  const writing = (async () => {
    while (!done && product < 2000) await sell(keys, daysAgo(sold), ++product);
  })();
  try {
    for (let round = 0; round < 3; round++) {
      const before = product;
      const reading = await topOfSettled(generations.redis, keys, { periods, measure: 'sold', limit: 3000 });
      const rows = reading?.value.map(rowOf) ?? [];
      const more = rows.filter(([, units]) => units === 5).length;
      expect(more).toBeGreaterThanOrEqual(before);
      expect(more).toBeLessThanOrEqual(product + 1);
      const expected = Array.from({ length: 2500 }, (__, index): Row => {
        const amount = index < more ? 5 : 4;
        return [index + 1, amount, amount];
      });
      expect(rows).toEqual(expected);
    }
    expect(product).toBeGreaterThan(0);
  } finally {
    done = true;
    await writing;
  }
});

test('a tie of more products than a script may read is decided where nothing moves', async () => {
  const [first = 'day:2026-01-01', second = 'day:2026-01-02'] = PERIODS;
  const sales = evenSales(20_000).filter(({ period }) => period < 2);
  const keys = await store(sales);
  const reading = await topOfPeriods(reader, keys, { periods: [first, second], measure: 'sold', limit: 3 });
  expect(reading?.value.map(rowOf)).toEqual([1, 2, 3].map((product) => [product, 2, 2]));
});

test('who leads by what is sold today is found among many with the same sales before, and over many days', async () => {
  const days = 78;
  const keys = await generations.create();
  const pipeline = generations.redis.pipeline();
  const sellOn = (day: number, product: number) =>
    pipeline.zadd(keys.productRanking('sold', daysAgo(day)), -1, rankingMember(productId(product)));
  for (let product = 1; product <= 5000; product++)
    for (let day = 1; day <= days; day++) if ((product + day) % days < 10) sellOn(day, product);
  for (let product = 3001; product <= 3600; product++) sellOn(0, product);
  await pipeline.exec();
  const periods = Array.from({ length: days + 1 }, (_, day) => daysAgo(day));
  const reading = await topOfSettled(generations.redis, keys, { periods, measure: 'sold', limit: 100 });
  const expected = Array.from({ length: 100 }, (_, index): Row => [3001 + index, 11, 0]);
  expect(reading?.value.map(rowOf)).toEqual(expected);
});

test('where every day moves, a range that no head decides is given up', async () => {
  const keys = await store(evenSales(6000));
  let done = false;
  const writing = (async () => {
    // Sold and returned, or the first ones would soon be the top of every head.
    for (let units = 1; !done; units = -units)
      for (const period of PERIODS) await sell(keys, period, 1, units);
  })();
  try {
    await expect(topOfSettled(generations.redis, keys, query)).rejects.toMatchObject({
      slug: 'read-model-contended',
    });
  } finally {
    done = true;
    await writing;
  }
});

test('sums right below 2^53 are exact, and so is what has no name', async () => {
  const [first = 'day:2026-01-01', second = 'day:2026-01-02'] = PERIODS;
  const keys = await store([{ period: 0, product: 2, units: 7, revenue: 0 }]);
  await generations.redis.zadd(
    keys.productRanking('sold', first),
    -(2 ** 53 - 6),
    rankingMember(productId(1)),
  );
  await generations.redis.zadd(keys.productRanking('sold', second), -5, rankingMember(productId(1)));
  await generations.redis.hset(keys.product(productId(2)), { name: 'Tea', sku: 'TEA-1' });
  const value = [
    [rankingMember(productId(1)), '-9007199254740991', '0', '', ''],
    [rankingMember(productId(2)), '-7', '0', 'Tea', 'TEA-1'],
  ];
  const heads = { ...query, depth: 4, maxMembers: 100 };
  expect(await readHeads(generations.redis, keys, heads)).toEqual({ at: AT, value });
  expect(await topOfSettled(generations.redis, keys, query)).toEqual({ at: AT, value });
});

test('a generation that is not complete is not read', async () => {
  const keys = await generations.create({ complete: false });
  expect(await topOfPeriods(reader, keys, query)).toBeUndefined();
  expect(await topOfSettled(generations.redis, keys, query)).toBeUndefined();
});
