import type { RowDataPacket } from 'mysql2/promise';
import { instantAt, orderId, productId, userId } from '../src/domain/ids';
import { HIGHEST_ORDER_TOTAL } from '../src/domain/money';
import type { Order } from '../src/domain/order';
import { Problem } from '../src/domain/problems';
import { importData } from '../src/import/import';
import { runRepair } from '../src/projections/resync/resync';
import { openHere } from './support/stores';
import { caughtUp, newPlace, startTally, until, type Place, type Tally } from './support/tally';

const USER = { id: userId(1), name: 'Rich', email: 'rich@example.com' };
const MOON = { id: productId(1), name: 'Moon', sku: 'MOON', price: HIGHEST_ORDER_TOTAL / 100n };

let place: Place;
let tally: Tally;
let stores: Awaited<ReturnType<typeof openHere>>;

beforeEach(async () => {
  place = await newPlace({ MAX_ORDER_TOTAL: '10000000000.00' });
  tally = await startTally(place);
  stores = await openHere(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterEach(async () => {
  await stores.close();
  await tally.app.close();
  await place.close();
});

/** An order of the highest total. */
const dear = (id: number): Order => ({
  orderId: orderId(id),
  userId: USER.id,
  total: HIGHEST_ORDER_TOTAL,
  createdAt: instantAt(Date.UTC(1999, 0, 1)),
  lines: [{ productId: MOON.id, quantity: 100, unitPrice: MOON.price }],
});

async function importDear(count: number): Promise<unknown> {
  const orders = Array.from({ length: count }, (_, index) => dear(index + 1));
  const { writer } = stores;
  return importData(writer, stores.databases.commands, { users: [USER], products: [MOON], orders });
}

/** What MySQL says, exactly. */
async function truth(): Promise<{ orders: number; units: number; revenue: string }> {
  const [rows] = await place.sql.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS orders, (SELECT SUM(quantity) FROM order_items) AS units, SUM(total_amount) AS revenue
       FROM orders`,
  );
  return {
    orders: Number(rows[0]?.orders),
    units: Number(rows[0]?.units),
    revenue: String(rows[0]?.revenue),
  };
}

async function expectReportsToBeExact(): Promise<void> {
  await caughtUp(place);
  const { orders, units, revenue } = await truth();
  expect((await tally.get('/orders/reports/summary')).body).toMatchObject({ orders, units, revenue });
  const { body: spenders } = await tally.get('/orders/reports/highest-spenders?limit=1');
  expect(spenders).toMatchObject([{ total_expense: revenue, orders_count: orders }]);
  for (const range of ['', '&from=1999-01-01&to=1999-02-02']) {
    const { body } = await tally.get(`/orders/reports/best-sellers?by=revenue${range}`);
    expect(body).toMatchObject([{ quantity_sold: units, revenue }]);
  }
  expect(await runRepair(stores.resyncDeps)).toMatchObject({ drift: 0, out_of_band: 0 });
}

test('90 orders of the highest total are in every report to the cent', async () => {
  await importDear(90);
  await expectReportsToBeExact();
});

test('of 95,000 dear orders those that the sums can state are taken, the others refused, and every report stays exact', async () => {
  const refusal = await importDear(95_000).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(Problem);
  expect(refusal).toMatchObject({ slug: 'sum-bound-reached' });
  const { orders } = await truth();
  process.stdout.write(`${orders} of 95,000 orders of 10,000,000,000.00 were taken\n`);
  expect(orders).toBeGreaterThan(7_000);
  await expectReportsToBeExact();
  const share = await until(async () => {
    const { body } = await tally.get('/metrics');
    return Number(/^tally_sum_bound_share (\S+)$/m.exec(body)?.[1]);
  });
  expect(share).toBeCloseTo(orders / 8000, 3);

  const order = { user_id: USER.id, items: [{ product_id: MOON.id, quantity: 100 }] };
  let refused = await tally.post('/orders', order);
  while (refused.status === 201) refused = await tally.post('/orders', order);
  expect([refused.status, refused.body.type]).toEqual([422, 'urn:tally:problem:sum-bound-reached']);
  // A deletion is never refused, and makes room.
  expect((await tally.delete('/orders/1')).status).toBe(200);
  expect((await tally.post('/orders', order)).status).toBe(201);
  await caughtUp(place);
  expect((await tally.get('/orders/reports/summary')).body).toMatchObject(await truth());
});

test('rows of other programs that no report could state exactly are named, and never in the reports', async () => {
  await importDear(1);
  await place.sql.query(
    `INSERT INTO orders (id, user_id, total_amount) VALUES (101, 1, 5.00), (102, 1, -3.00), (103, 1, 99999999999.00)`,
  );
  await place.sql.query(
    `INSERT INTO order_items VALUES (101, 1, 1, 1, 4.00), (102, 1, 1, 1, -3.00), (103, 1, 1, 100, 999999999.99)`,
  );
  const found = await until(async () => runRepair(stores.resyncDeps));
  expect(found).toMatchObject({ drift: 0, out_of_band: 3, reconciled: 0 });
  expect(found.irreconcilable).toEqual([
    'order 101: its total is not the sum of its lines',
    'order 102: a line has a negative price',
    expect.stringMatching(/^order 103: its total is/),
  ]);
  expect((await tally.get('/orders/reports/summary')).body.orders).toBe(1);
  for (const id of [101, 102, 103]) expect((await tally.delete(`/orders/${id}`)).status).toBe(200);
  await expectReportsToBeExact();
});
