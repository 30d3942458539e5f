import fc from 'fast-check';
import { productId } from '../src/domain/ids';
import { rankedAmount } from '../src/read-model/reading-script';
import { scanPeriods, topOfHeads, topOfPeriods, type TopProduct } from '../src/queries/top-of-periods';
import { rankedProduct, rankingMember, type Keys, type Period } from '../src/read-model/keys';
import { AT, moveTo, newGenerations, type Generations } from './support/generation';

const PERIODS = Array.from({ length: 6 }, (_, index): Period => `day:2026-01-0${index + 1}`);

let generations: Generations;

beforeAll(() => {
  generations = newGenerations();
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
          const reading = await topOfHeads(generations.redis, keys, { ...query, depth, maxMembers: most });
          expect(reading?.at).toEqual(AT);
          return typeof reading?.value === 'string' ? reading.value : reading?.value.map(rowOf);
        };
        const expected = plainTop(sales, limit);
        const shallow = await ask(limit + more, maxMembers);
        if (typeof shallow !== 'string') expect(shallow).toEqual(expected);
        expect(await ask(200, 10_000)).toEqual(expected);
        const whole = await scanPeriods(generations.redis, keys, query);
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
    expect(await topOfHeads(generations.redis, keys, query)).toEqual({ at: AT, value: said });
  },
);

const query = { periods: PERIODS, measure: 'sold' as const, limit: 2 };

test('a tie that no head decides is read whole, over more than one page', async () => {
  const keys = await store(evenSales(6000));
  const reading = await topOfPeriods(generations.redis, keys, query);
  expect(reading?.value.map(rowOf)).toEqual([
    [1, 6, 6],
    [2, 6, 6],
  ]);
});

test('a scan whose pages are of several positions is given up', async () => {
  const keys = await store(evenSales(3000));
  let position = AT.position;
  let done = false;
  const writing = (async () => {
    while (!done) await moveTo(generations.redis, keys, ++position);
  })();
  try {
    await expect(scanPeriods(generations.redis, keys, query)).rejects.toMatchObject({
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
  expect(await topOfHeads(generations.redis, keys, heads)).toEqual({ at: AT, value });
  expect(await scanPeriods(generations.redis, keys, query)).toEqual({ at: AT, value });
});

test('a generation that is not complete is not read', async () => {
  const keys = await generations.create({ complete: false });
  expect(await topOfPeriods(generations.redis, keys, query)).toBeUndefined();
  expect(await scanPeriods(generations.redis, keys, query)).toBeUndefined();
});
