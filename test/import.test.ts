import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { BulkConflict } from '../src/import/bulk';
import { readImport } from '../src/import/csv';
import { demoData } from '../src/import/demo';
import { ImportFaults } from '../src/import/faults';
import { importData, type ImportProgress } from '../src/import/import';
import { newPlace, type Place } from './support/place';
import { startWriteSide, type WriteSide } from './support/write-side';

const FILES = {
  'users.csv': 'id,name,email\n5,"Müller, Söhne & Co.",m@example.com\n7,Ada,ada@example.com\n',
  'products.csv': 'id,name,sku,price\n10,Tea,T-1,4.50\n20,Cup,C-1,3\n',
  'orders.csv': 'id,user_id,created_at\n100,5,1996-07-04T00:00:00Z\n300,7,2024-02-29T23:59:59.999+02:00\n',
  'order_items.csv':
    'order_id,product_id,quantity,unit_price\n100,10,12,4.00\n300,20,1,3.00\n100,20,1,2.50\n',
};

let directory: string;
let place: Place;
let side: WriteSide;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-import-'));
  for (const [file, text] of Object.entries(FILES)) await writeFile(join(directory, file), text);
  place = await newPlace();
  side = await startWriteSide(place);
});

afterEach(async () => {
  await side.close();
  await place.close();
  await rm(directory, { recursive: true });
});

const rewrite = (file: keyof typeof FILES, from: string, to: string) =>
  writeFile(join(directory, file), FILES[file].replace(from, to));

const maxOrderTotal = 100_000_000n;
const read = () => readImport(directory, { maxOrderTotal });
const runImport = async (onProgress?: (progress: ImportProgress) => void) =>
  importData(side.writer, side.databases.commands, await read(), onProgress);

async function faults(): Promise<string[]> {
  return read().then(
    () => [],
    (error: unknown) => (error instanceof ImportFaults ? error.faults : Promise.reject(error)),
  );
}

async function counts(): Promise<unknown> {
  const [rows] = await place.sql.query<RowDataPacket[]>(
    `SELECT (SELECT COUNT(*) FROM users) AS users, (SELECT COUNT(*) FROM products) AS products,
            (SELECT COUNT(*) FROM orders) AS orders, (SELECT COUNT(*) FROM order_items) AS items,
            (SELECT COUNT(*) FROM order_events) AS events, (SELECT position FROM event_head) AS position`,
  );
  return rows[0];
}

test('started again it writes nothing; after a crash it goes on where it was', async () => {
  await runImport();
  const before = await counts();
  expect(await runImport()).toMatchObject({
    users: 0,
    products: 0,
    orders: 0,
    skipped: 6,
    position: 0,
  });
  expect(await counts()).toEqual(before);
  await rewrite('orders.csv', '\n300', '\n200,7,2000-01-01T00:00:00Z\n300');
  await writeFile(join(directory, 'order_items.csv'), `${FILES['order_items.csv']}200,10,1,1.00\n`);
  expect(await runImport()).toMatchObject({ users: 0, products: 0, orders: 1, skipped: 6 });
});

test.each([
  ['products.csv', '4.50', '4.60', '1 product is there already with another content: 10'],
  ['users.csv', 'Ada', 'Eve', '1 user is there already with another content: 7'],
  ['order_items.csv', '100,10,12', '100,10,13', '1 order is there already with another content: 100'],
] as const)('an id that is there with another content is an error: %s', async (file, from, to, message) => {
  await runImport();
  const before = await counts();
  await rewrite(file, from, to);
  const again = runImport();
  await expect(again).rejects.toThrow(BulkConflict);
  await expect(again).rejects.toThrow(message);
  expect(await counts()).toEqual(before);
});

test.each([
  ['users.csv', '\n7,', '\nseven,', 'users.csv:3: id: must be a positive whole number'],
  ['users.csv', 'ada@example.com', 'M@example.com', 'users.csv:3: email: m@example.com is on line 2 already'],
  ['products.csv', '\n20', '\n10', 'products.csv:3: id: 10 is on line 2 already'],
  [
    'products.csv',
    '4.50',
    '4.505',
    'products.csv:2: price: must be a decimal from 0 to 9999999999.99 with at most two places',
  ],
  ['orders.csv', '100,5', '100,6', 'orders.csv:2: user_id: 6 is not in users.csv'],
  ['orders.csv', '\n300', '\n100', 'orders.csv:3: id: 100 is on line 2 already'],
  [
    'orders.csv',
    '1996-07-04T00:00:00Z',
    '12/1/2010 8:26',
    'orders.csv:2: created_at: must be a day like 2026-11-21 or a time like 2026-11-21T10:00:00Z',
  ],
  [
    'orders.csv',
    '1996-07-04T00:00:00Z',
    '1000-01-01T00:00:00+01:00',
    'orders.csv:2: created_at: must be between the years 1000 and 9999',
  ],
  ['order_items.csv', '100,10,12', '101,10,12', 'order_items.csv:2: order_id: there is no order 101'],
  ['order_items.csv', '100,10,12', '100,11,12', 'order_items.csv:2: product_id: 11 is not in products.csv'],
  ['order_items.csv', '300,20,1,', '300,20,0,', 'order_items.csv:3: quantity: must be at least 1'],
  [
    'order_items.csv',
    '300,20,1,',
    '300,20,99999999,',
    'order_items.csv:3: quantity: must be at most 1000000',
  ],
  ['order_items.csv', '300,20,1,3.00\n', '', 'orders.csv:3: the order has no lines in order_items.csv'],
] as const)('a bad row is reported with file and line: %s %j → %j', async (file, from, to, fault) => {
  await rewrite(file, from, to);
  expect(await faults()).toContain(fault);
  await expect(runImport()).rejects.toThrow(ImportFaults);
  expect(await counts()).toMatchObject({ users: 0, orders: 0, events: 0 });
});

test('an email or SKU that belongs to another id is an error before anything is written', async () => {
  await place.sql.query(
    "INSERT INTO users (id, name, email, created_at) VALUES (77, 'x', 'ADA@example.com', NOW())",
  );
  await expect(runImport()).rejects.toThrow('1 email belongs to another id already: ada@example.com (id 77)');
  await place.sql.query('DELETE FROM users');
  await place.sql.query(
    "INSERT INTO products (id, name, sku, price, created_at) VALUES (88, 'x', 'C-1', 1, NOW())",
  );
  await expect(runImport()).rejects.toThrow('1 SKU belongs to another id already: C-1 (id 88)');
  expect(await counts()).toMatchObject({ users: 0, orders: 0, events: 0 });
});

test('an email that MySQL takes for the same, though it has an accent, is an error before anything is written', async () => {
  await place.sql.query(
    "INSERT INTO users (id, name, email, created_at) VALUES (77, 'x', 'adá@example.com', NOW())",
  );
  await expect(runImport()).rejects.toThrow('1 email belongs to another id already: adá@example.com (id 77)');
  expect(await counts()).toMatchObject({ users: 1, orders: 0, events: 0 });
});

test('a directory in the place of a file is told in words', async () => {
  await rm(join(directory, 'users.csv'));
  await mkdir(join(directory, 'users.csv'));
  expect(await faults()).toEqual(['users.csv: it is a directory and not a file']);
});

test('what is wrong in several files is reported, but not what follows from a file that is not there', async () => {
  await rewrite('orders.csv', '100,5', '100,6');
  await rewrite('products.csv', '4.50', 'x');
  await rm(join(directory, 'users.csv'));
  expect(await faults()).toEqual([
    `users.csv: there is no such file in ${directory}`,
    'products.csv:2: price: must be a decimal from 0 to 9999999999.99 with at most two places',
  ]);
});

const OTHER_COUNT =
  'has another number of fields than the first line: quote a text with a comma, and write amounts with a point';

test.each([
  ['', 'products.csv: is empty: its first line must be id,name,sku,price'],
  [
    'id;name;sku;price\n10;Tea;T-1;4,50\n',
    'products.csv: the first line must be id,name,sku,price, with commas and not semicolons: it is id;name;sku;price',
  ],
  [
    'ID,Name,sku,price\n10,Tea,T-1,4.50\n',
    'products.csv: the first line must be id,name,sku,price: id, name is missing in ID,Name,sku,price',
  ],
  [
    '10,Tea,T-1,4.50\n',
    'products.csv: the first line must be id,name,sku,price: id, name, sku, price is missing in 10,Tea,T-1,4.50',
  ],
  [
    'id,name,sku,price,price\n10,Tea,T-1,4.50,9.00\n',
    'products.csv: the first line names the column price twice',
  ],
  [
    Buffer.from('id,name,sku,price\n10,Zo\u00eb,T-1,4.50\n', 'latin1'),
    'products.csv: is not UTF-8: export it again as UTF-8',
  ],
  ['id,name,sku,price\n10,"Tea,T-1,4.50\n', 'products.csv:2: a quote that is opened here is never closed'],
  ['id,name,sku,price\n10,Tea,T-1,4,50\n20,Cup,C-1,3.00\n', `products.csv:2: ${OTHER_COUNT}`],
  ['id,name,sku,price\n10,Tea,T-1\n20,Cup,C-1,3.00\n', `products.csv:2: ${OTHER_COUNT}`],
  [
    'id,name,sku,price\n10,Te\0a,T-1,4.50\n20,Cup,C-1,3.00\n',
    'products.csv:2: name: must have no control characters',
  ],
])(
  'a file that is not what it must be is told once, without what follows from it: %#',
  async (text, fault) => {
    await writeFile(join(directory, 'products.csv'), text);
    expect(await faults()).toEqual([fault]);
  },
);

test('columns may come in any order, and others are left out', async () => {
  await writeFile(
    join(directory, 'users.csv'),
    'email,phone,id,name\nm@example.com,1,5,Max\nada@example.com,2,7,Ada\n',
  );
  expect((await read()).users).toEqual([
    { id: 5, name: 'Max', email: 'm@example.com' },
    { id: 7, name: 'Ada', email: 'ada@example.com' },
  ]);
});

test('files of a spreadsheet, with a byte order mark and CRLF, are read like others', async () => {
  for (const [file, text] of Object.entries(FILES)) {
    await writeFile(join(directory, file), `\ufeff${text.replaceAll('\n', '\r\n')}`);
  }
  const { users, products, orders } = await read();
  expect([users.length, products.length]).toEqual([2, 2]);
  expect([...orders].map(({ orderId, total, lines }) => [orderId, total, lines.length])).toEqual([
    [100, 5050n, 2],
    [300, 300n, 1],
  ]);
});

test('of very many bad rows the first are reported, and all are counted', async () => {
  const rows = Array.from({ length: 250 }, (_, index) => `${index + 1},99,2026-01-01\n`);
  await writeFile(join(directory, 'orders.csv'), `id,user_id,created_at\n${rows.join('')}`);
  // None of their users is there, one of them has lines, and one line belongs to order 300.
  await expect(read()).rejects.toMatchObject({
    faults: { length: 100 },
    count: 250 + 249 + 1,
  });
});

test('the sample shop is the same for a seed and a day, and is imported once', async () => {
  expect(demoData(1, '2026-11-21')).toEqual(demoData(1, '2026-11-21'));
  expect(demoData(2, '2026-11-21')).not.toEqual(demoData(1, '2026-11-21'));
  const data = demoData(1, '2026-11-21');
  expect(data.orders).toHaveLength(5000);
  expect([...data.orders].every(({ createdAt }) => createdAt < '2026-11-21')).toBe(true);
});

test('the order total has a bound, which the fault names', async () => {
  const found = await readImport(directory, { maxOrderTotal: 5000n }).catch((error: unknown) => error);
  expect(found).toMatchObject({
    faults: ["orders.csv:2: the order's total is 50.50, above MAX_ORDER_TOTAL (50.00)"],
  });
});

test('reading, checking and importing show how far they are', async () => {
  const bytes: { done: number; total: number }[] = [];
  await readImport(directory, { maxOrderTotal, onProgress: (progress) => bytes.push(progress) });
  const total = Object.values(FILES).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  expect(bytes.at(-1)).toEqual({ done: total, total });

  const progress: ImportProgress[] = [];
  await runImport((told) => progress.push(told));
  expect(progress).toEqual([
    { step: 'checking', done: 2, total: 6 },
    { step: 'checking', done: 4, total: 6 },
    { step: 'checking', done: 6, total: 6 },
    { step: 'importing', done: 2, total: 6 },
    { step: 'importing', done: 4, total: 6 },
    { step: 'importing', done: 6, total: 6 },
  ]);
});

test('what another program deleted and an import brings back stands in the log once', async () => {
  await runImport();
  await place.sql.query('DELETE FROM order_items WHERE order_id = 100');
  await place.sql.query('DELETE FROM orders WHERE id = 100');
  expect(await runImport()).toMatchObject({ orders: 1, skipped: 5 });
  const [events] = await place.sql.query<RowDataPacket[]>(
    'SELECT type, payload FROM order_events WHERE subject_id = 100 ORDER BY position',
  );
  expect(events.map(({ type }) => type)).toEqual(['OrderCreated', 'OrderDeleted', 'OrderCreated']);
  const [[head]] = await place.sql.query<RowDataPacket[]>(
    'SELECT orders_live, units, revenue_minor FROM event_head',
  );
  expect(head).toEqual({ orders_live: 2, units: 14, revenue_minor: 5350 });
});
