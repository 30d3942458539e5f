import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../src/main';
import {
  caughtUp,
  newPlace,
  positionOf,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
} from './support/tally';

const PRODUCTS = 2000;
const LINES = 100;
const today = new Date();
/** The six before this one. */
const MONTHS = [6, 5, 4, 3, 2, 1].map((ago) =>
  new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - ago)).toISOString().slice(0, 7),
);
const tomorrow = new Date(today.getTime() + 86_400_000);
const RANGE = `from=${MONTHS[0]}-01&to=${tomorrow.toISOString().slice(0, 10)}`;

let place: Place;
let tally: Tally;

/** A shop that sells every product equally often, so that no head of a ranking decides anything. */
beforeAll(async () => {
  place = await newPlace();
  const products = Array.from({ length: PRODUCTS }, (_, index) => index + 1);
  const orders = MONTHS.flatMap((month, at) =>
    Array.from({ length: PRODUCTS / LINES }, (_, part) => ({ month, id: at * 1000 + part + 1, part })),
  );
  const files = {
    'users.csv': ['id,name,email', '1,Ada,ada@example.com'],
    'products.csv': ['id,name,sku,price', ...products.map((id) => `${id},P${id},S-${id},1.00`)],
    'orders.csv': [
      'id,user_id,created_at',
      ...orders.map(({ month, id }) => `${id},1,${month}-0${1 + (id % 9)}T12:00:00Z`),
    ],
    'order_items.csv': [
      'order_id,product_id,quantity,unit_price',
      ...orders.flatMap(({ id, part }) =>
        products.slice(part * LINES, (part + 1) * LINES).map((product) => `${id},${product},1,1.00`),
      ),
    ],
  };
  const directory = await mkdtemp(join(tmpdir(), 'tally-flat-'));
  for (const [file, lines] of Object.entries(files)) await writeFile(join(directory, file), lines.join('\n'));
  const code = await main(['import', '--dir', directory], place.env);
  if (code !== 0) throw new Error(`the import ended with ${code}`);
  await rm(directory, { recursive: true });
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  await caughtUp(place);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

const report = (limit: number) => `/orders/reports/best-sellers?${RANGE}&limit=${limit}`;

test('a hundred wide reports at a time are answered or told to come back; cheap reports and commands always are', async () => {
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const reports = Array.from({ length: 100 }, (_, index) => tally.get(report(index + 1)));
  const isOver = Promise.all(reports).then(() => true);
  const others: number[] = [];
  do {
    others.push((await tally.get('/orders/reports/summary')).status);
    const order = { user_id: user, items: [{ product_id: products[0], quantity: 1 }] };
    const created = await tally.post('/orders', order);
    others.push(created.status, (await tally.delete(`/orders/${created.body.order_id}`)).status);
  } while (!(await Promise.race([isOver, Promise.resolve(false)])));
  expect(new Set(others)).toEqual(new Set([200, 201]));

  const answers = await Promise.all(reports);
  const answered = answers.filter(({ status }) => status === 200);
  for (const { body } of answered) {
    const ids = body.map((row: { product_id: number }) => row.product_id);
    expect(ids).toEqual(Array.from(ids, (_, index) => index + 1));
    expect(body[0]).toMatchObject({ quantity_sold: MONTHS.length, revenue: '6.00' });
  }
  const refused = answers.filter(({ status }) => status !== 200);
  for (const { status, body, headers } of refused)
    expect([status, body.type, headers.get('retry-after')]).toEqual([
      503,
      'urn:tally:problem:overloaded',
      '2',
    ]);
  expect(answered.length).toBeGreaterThan(0);
  expect(refused.length).toBeGreaterThan(0);
});

test('a wide report is answered of one position while orders of today are written without a pause', async () => {
  await caughtUp(place);
  const start = positionOf(await tally.get('/orders/reports/summary'));
  let sold = 0;
  let isDone = false;
  // Each order sells one more, of the last product first: the log position tells which ones are the top.
  const writing = (async () => {
    while (!isDone && sold < PRODUCTS) {
      const order = { user_id: 1, items: [{ product_id: PRODUCTS - sold, quantity: 1 }] };
      await tally.post('/orders', order);
      sold += 1;
    }
  })();
  try {
    for (let round = 0; round < 3 || sold < 3; round++) {
      const answer = await tally.get(report(100));
      expect(answer.status).toBe(200);
      const more = positionOf(answer) - start;
      const expected = Array.from({ length: 100 }, (_, index) =>
        index < more ? [PRODUCTS - more + 1 + index, MONTHS.length + 1] : [index - more + 1, MONTHS.length],
      );
      const rows = answer.body as { product_id: number; quantity_sold: number }[];
      expect(rows.map((row) => [row.product_id, row.quantity_sold])).toEqual(expected);
    }
  } finally {
    isDone = true;
    await writing;
  }
});
