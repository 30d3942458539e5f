import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { instantAt, orderId, productId, userId } from '../src/domain/ids';
import { totalOf, type Order } from '../src/domain/order';
import { readImport } from '../src/import/csv';
import { importData } from '../src/import/import';
import type { Stores } from '../src/stores';
import { openHere } from './support/stores';
import { caughtUp, newPlace, startTally, until, type Place, type Tally } from './support/tally';

let place: Place;
let tally: Tally;
let stores: Stores;

beforeAll(async () => {
  place = await newPlace();
  tally = await startTally(place);
  stores = await openHere(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterAll(async () => {
  await stores.close();
  await tally.app.close();
  await place.close();
});

const PRODUCTS = 40;
const USERS = 9;
const START = Date.parse('2024-01-20');
const DAYS = 100;

interface Sale {
  day: number;
  user: number;
  lines: { product: number; quantity: number }[];
}

const sale: fc.Arbitrary<Sale> = fc.record({
  day: fc.nat(DAYS - 1),
  user: fc.integer({ min: 1, max: USERS }),
  lines: fc.array(
    // Few distinct quantities and prices: many ties.
    fc.record({ product: fc.integer({ min: 1, max: PRODUCTS }), quantity: fc.integer({ min: 1, max: 3 }) }),
    { minLength: 1, maxLength: 4 },
  ),
});

const price = (product: number) => BigInt(product % 3) * 250n;

let imported: Order[] = [];

async function importSales(sales: Sale[]): Promise<void> {
  const users = Array.from({ length: USERS }, (_, index) => ({
    id: userId(index + 1),
    name: `User ${index + 1}`,
    email: `u${index + 1}@example.com`,
  }));
  const products = Array.from({ length: PRODUCTS }, (_, index) => ({
    id: productId(index + 1),
    name: `Product ${index + 1}`,
    sku: `SKU-${index + 1}`,
    price: price(index + 1),
  }));
  const orders = sales.map(({ day, user, lines }, index): Order => {
    const priced = lines.map(({ product, quantity }) => ({
      productId: productId(product),
      quantity,
      unitPrice: price(product),
    }));
    return {
      orderId: orderId(imported.length + index + 1),
      userId: userId(user),
      total: totalOf(priced),
      createdAt: instantAt(START + day * 86_400_000 + index),
      lines: priced,
    };
  });
  await importData(stores.writer, stores.databases.commands, { users, products, orders });
  imported = [...imported, ...orders];
  await caughtUp(place);
}

/** The report in the plainest way. */
function plainBestSellers(by: 'quantity' | 'revenue', limit: number, from?: string, to?: string) {
  const sums = new Map<number, { units: number; revenue: bigint }>();
  for (const { createdAt, lines } of imported) {
    const day = createdAt.slice(0, 10);
    if (from !== undefined && to !== undefined && (day < from || day >= to)) continue;
    for (const { productId, quantity, unitPrice } of lines) {
      const before = sums.get(productId) ?? { units: 0, revenue: 0n };
      sums.set(productId, {
        units: before.units + quantity,
        revenue: before.revenue + BigInt(quantity) * unitPrice,
      });
    }
  }
  return [...sums]
    .filter(([, { revenue }]) => by === 'quantity' || revenue > 0n)
    .sort(
      ([a, x], [b, y]) => (by === 'quantity' ? y.units - x.units : Number(y.revenue - x.revenue)) || a - b,
    )
    .slice(0, limit)
    .map(([id, { units, revenue }]) => ({
      product_id: id,
      name: `Product ${id}`,
      sku: `SKU-${id}`,
      quantity_sold: units,
      revenue: (Number(revenue) / 100).toFixed(2),
    }));
}

const dayText = (offset: number) => new Date(START + offset * 86_400_000).toISOString().slice(0, 10);

test('every report is what the plainest computation says, for any orders, ranges and limits', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sale, { minLength: 30, maxLength: 60 }),
      fc.integer({ min: -5, max: DAYS }),
      fc.integer({ min: 1, max: DAYS }),
      fc.constantFrom(1, 2, 5, 39, 100),
      async (sales, from, length, limit) => {
        await importSales(sales);
        const range = { from: dayText(from), to: dayText(from + length) };
        const query = `from=${range.from}&to=${range.to}&limit=${limit}`;
        for (const by of ['quantity', 'revenue'] as const) {
          const whole = await tally.get(`/orders/reports/best-sellers?by=${by}&limit=${limit}`);
          expect(whole.body).toEqual(plainBestSellers(by, limit));
          const ranged = await tally.get(`/orders/reports/best-sellers?by=${by}&${query}`);
          expect(ranged.body).toEqual(plainBestSellers(by, limit, range.from, range.to));
        }
        for (const interval of ['day', 'month'] as const) {
          const { body } = await tally.get(
            `/orders/reports/sales?from=${range.from}&to=${range.to}&interval=${interval}`,
          );
          expect(body).toEqual(plainSales(range, interval));
        }
        const spenders = await tally.get(`/orders/reports/highest-spenders?limit=${limit}`);
        expect(spenders.body).toEqual(plainSpenders(limit));
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
});

function plainSales({ from, to }: { from: string; to: string }, interval: 'day' | 'month') {
  const figures = (orders: Order[]) => ({
    orders: orders.length,
    units: orders.flatMap(({ lines }) => lines).reduce((sum, line) => sum + line.quantity, 0),
    revenue: (Number(orders.reduce((sum, order) => sum + order.total, 0n)) / 100).toFixed(2),
  });
  const starts: string[] = [];
  for (let ms = Date.parse(from); ms < Date.parse(to); ms += 86_400_000) {
    const day = new Date(ms).toISOString().slice(0, 10);
    if (interval === 'day' || day === from || day.endsWith('-01')) starts.push(day);
  }
  const within = (start: string, end: string) =>
    imported.filter(({ createdAt }) => createdAt.slice(0, 10) >= start && createdAt.slice(0, 10) < end);
  return {
    from,
    to,
    interval,
    ...figures(within(from, to)),
    intervals: starts.map((start, index) => ({ start, ...figures(within(start, starts[index + 1] ?? to)) })),
  };
}

function plainSpenders(limit: number) {
  const sums = new Map<number, { total: bigint; count: number }>();
  for (const { userId, total } of imported) {
    const before = sums.get(userId) ?? { total: 0n, count: 0 };
    sums.set(userId, { total: before.total + total, count: before.count + 1 });
  }
  return [...sums]
    .filter(([, { total }]) => total > 0n)
    .sort(([a, x], [b, y]) => Number(y.total - x.total) || a - b)
    .slice(0, limit)
    .map(([id, { total, count }]) => ({
      user_id: id,
      name: `User ${id}`,
      total_expense: (Number(total) / 100).toFixed(2),
      orders_count: count,
    }));
}

test('a report over sales so even that the threshold decides nothing is right all the same', async () => {
  // One piece of each of 3,000 products in each of 24 months: every ranking is one great tie.
  const many = Array.from({ length: 3000 }, (_, index) => ({
    id: productId(1000 + index),
    name: 'x',
    sku: `E-${index}`,
    price: 100n,
  }));
  const users = [{ id: userId(500), name: 'Even', email: 'even@example.com' }];
  const orders = Array.from({ length: 24 * 30 }, (_, index): Order => {
    const month = index % 24;
    const first = Math.floor(index / 24) * 100;
    const lines = Array.from({ length: 100 }, (_, n) => ({
      productId: productId(1000 + first + n),
      quantity: 1,
      unitPrice: 100n,
    }));
    const createdAt = instantAt(Date.UTC(2001, month, 15));
    return { orderId: orderId(100_000 + index), userId: userId(500), total: 10_000n, createdAt, lines };
  });
  await importData(stores.writer, stores.databases.commands, { users, products: many, orders });
  await caughtUp(place);
  const { status, body } = await tally.get(
    '/orders/reports/best-sellers?from=2001-01-01&to=2003-01-01&limit=3',
  );
  expect(status).toBe(200);
  expect(
    body.map((row: { product_id: number; quantity_sold: number }) => [row.product_id, row.quantity_sold]),
  ).toEqual([
    [1000, 24],
    [1001, 24],
    [1002, 24],
  ]);
}, 120_000);

describe('ranges', () => {
  test.each([
    ['best-sellers?from=2024-01-01', 'to'],
    ['best-sellers?from=2024-02-01&to=2024-02-01', 'to'],
    ['best-sellers?from=2024-02-30&to=2024-03-01', 'from'],
    ['sales?to=2024-01-01', 'to'],
    ['sales?from=yesterday&to=today', 'from'],
    ['sales?from=2024-01-01&to=2024-02-01&interval=week', 'interval'],
    ['best-sellers?by=name', 'by'],
    ['best-sellers?from=9997-12-15&to=9999-12-15', 'from'],
    ['sales?from=9998-12-01&to=9999-12-31&interval=month', 'from'],
    ['highest-spenders?limit=0', 'limit'],
  ])('400: %s', async (path, field) => {
    const { status, body } = await tally.get(`/orders/reports/${path}`);
    expect([status, body.type]).toEqual([400, 'urn:tally:problem:invalid-request']);
    expect(body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });

  test.each(['best-sellers?from=2022-01-01&to=2024-01-02', 'sales?from=2022-01-01&to=2023-02-15'])(
    '400: too wide: %s',
    async (path) => {
      const { status, body } = await tally.get(`/orders/reports/${path}`);
      expect([status, body.type]).toEqual([400, 'urn:tally:problem:range-too-wide']);
    },
  );

  test('24 months are not too wide, and sales without a range are of the last 30 days', async () => {
    expect((await tally.get('/orders/reports/best-sellers?from=2022-01-15&to=2024-01-15')).status).toBe(200);
    expect(
      (await tally.get('/orders/reports/sales?from=2022-01-15&to=2024-01-15&interval=month')).body.intervals,
    ).toHaveLength(25);
    expect((await tally.get('/orders/reports/sales')).body.intervals).toHaveLength(30);
  });
});

// The data set is not part of the project; where it lies beside the project, its known answers are checked.
const NORTHWIND = join(__dirname, '..', '..', 'shared', 'data', 'northwind');
if (existsSync(NORTHWIND)) {
  test('the known answers about real orders', async () => {
    const own = await newPlace();
    const service = await startTally(own);
    const ownStores = await openHere(own);
    try {
      await importData(
        ownStores.writer,
        ownStores.databases.commands,
        await readImport(NORTHWIND, { maxOrderTotal: own.config.MAX_ORDER_TOTAL }),
      );
      await until(async () => (await service.get('/health/ready')).status === 200);
      await caughtUp(own);
      expect((await service.get('/orders/reports/summary')).body).toMatchObject({
        orders: 830,
        units: 51317,
        revenue: '1354458.59',
      });
      const sellers = await service.get('/orders/reports/best-sellers');
      expect(
        sellers.body.map((row: { product_id: number; quantity_sold: number }) => [
          row.product_id,
          row.quantity_sold,
        ]),
      ).toEqual([
        [60, 1577],
        [59, 1496],
        [31, 1397],
        [56, 1263],
        [16, 1158],
        [75, 1155],
        [24, 1125],
        [40, 1103],
        [62, 1083],
        [2, 1057],
      ]);
      const years = await service.get('/orders/reports/sales?from=1997-01-01&to=1998-01-01&interval=month');
      expect(years.body.revenue).toBe('658388.75');
    } finally {
      await ownStores.close();
      await service.app.close();
      await own.close();
    }
  });
}
