import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { createLogger, openCore, type Core } from '../src/app';
import { BulkConflict } from '../src/import/bulk';
import { ImportFaults, readImport } from '../src/import/csv';
import { demoData } from '../src/import/demo';
import { importData } from '../src/import/import';
import { main } from '../src/main';
import { migrate } from '../src/mysql/migrate';
import { caughtUp, dump, newPlace, startTally, until, type Place } from './support/tally';

const FILES = {
  'users.csv': 'id,name,email\n5,"Müller, Söhne & Co.",m@example.com\n7,Ada,ada@example.com\n',
  'products.csv': 'id,name,sku,price\n10,Tea,T-1,4.50\n20,Cup,C-1,3\n',
  'orders.csv': 'id,user_id,created_at\n100,5,1996-07-04T00:00:00Z\n300,7,2024-02-29T23:59:59.999+02:00\n',
  'order_items.csv':
    'order_id,product_id,quantity,unit_price\n100,10,12,4.00\n300,20,1,3.00\n100,20,1,2.50\n',
};

let directory: string;
let place: Place;
let core: Core;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-import-'));
  for (const [file, text] of Object.entries(FILES)) await writeFile(join(directory, file), text);
  place = await newPlace();
  await migrate(place.config.DATABASE_URL, 5000);
  core = openCore(place.config, createLogger({ LOG_LEVEL: 'silent' }));
});

afterEach(async () => {
  await core.close();
  await place.close();
  await rm(directory, { recursive: true });
});

const rewrite = (file: keyof typeof FILES, from: string, to: string) =>
  writeFile(join(directory, file), FILES[file].replace(from, to));

const runImport = async () => importData(core.writer, core.databases.commands, await readImport(directory));

async function faults(): Promise<string[]> {
  return readImport(directory).then(
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

test('ids, dates and prices are those of the files, and the reports show them', async () => {
  expect(await runImport()).toMatchObject({ users: 2, products: 2, orders: 2, skipped: 0, position: 6 });
  const tally = await startTally(place);
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    await caughtUp(place);
    expect((await tally.get('/orders/100')).body).toEqual({
      order_id: 100,
      user_id: 5,
      total_amount: '50.50',
      items_count: 2,
      items: [
        { product_id: 10, quantity: 12 },
        { product_id: 20, quantity: 1 },
      ],
      created_at: '1996-07-04T00:00:00.000Z',
    });
    // With its own offset it is still the day before in UTC.
    expect((await tally.get('/orders/300')).body.created_at).toBe('2024-02-29T21:59:59.999Z');
    expect((await tally.get('/orders/reports/highest-spenders')).body[0]).toMatchObject({
      name: 'Müller, Söhne & Co.',
    });
    expect((await tally.get('/products/10')).body.price).toBe('4.50');
  } finally {
    await tally.app.close();
  }
});

test('started again it writes nothing; after a crash it goes on where it was', async () => {
  await runImport();
  const before = await counts();
  expect(await runImport()).toMatchObject({
    users: 0,
    products: 0,
    orders: 0,
    skipped: 6,
    position: undefined,
  });
  expect(await counts()).toEqual(before);
  await rewrite('orders.csv', '\n300', '\n200,7,2000-01-01T00:00:00Z\n300');
  await writeFile(join(directory, 'order_items.csv'), `${FILES['order_items.csv']}200,10,1,1.00\n`);
  expect(await runImport()).toMatchObject({ users: 0, products: 0, orders: 1, skipped: 6 });
});

test.each([
  ['products.csv', '4.50', '4.60', 'product(s) are there already with another content: 10'],
  ['users.csv', 'Ada', 'Eve', 'user(s) are there already with another content: 7'],
  ['order_items.csv', '100,10,12', '100,10,13', 'order(s) are there already with another content: 100'],
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
  ['orders.csv', '100,5', '100,6', 'orders.csv:2: user_id: there is no user 6'],
  ['orders.csv', '\n300', '\n100', 'orders.csv:3: id: 100 is on line 2 already'],
  ['orders.csv', '1996-07-04T00:00:00Z', '4.7.1996', 'orders.csv:2: created_at: Invalid input'],
  [
    'orders.csv',
    '1996-07-04T00:00:00Z',
    '1000-01-01T00:00:00+01:00',
    'orders.csv:2: created_at: must be between the years 1000 and 9999',
  ],
  ['order_items.csv', '100,10,12', '101,10,12', 'order_items.csv:2: order_id: there is no order 101'],
  ['order_items.csv', '100,10,12', '100,11,12', 'order_items.csv:2: product_id: there is no product 11'],
  [
    'order_items.csv',
    '300,20,1,',
    '300,20,0,',
    'order_items.csv:3: quantity: Too small: expected number to be >=1',
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
  await expect(runImport()).rejects.toThrow(
    '1 email(s) belong to another id already: ada@example.com (id 77)',
  );
  await place.sql.query('DELETE FROM users');
  await place.sql.query(
    "INSERT INTO products (id, name, sku, price, created_at) VALUES (88, 'x', 'C-1', 1, NOW())",
  );
  await expect(runImport()).rejects.toThrow('1 SKU(s) belong to another id already: C-1 (id 88)');
  expect(await counts()).toMatchObject({ users: 0, orders: 0, events: 0 });
});

test('an order that another program deleted and an import brings back counts once', async () => {
  const tally = await startTally(place, { VERIFY_INTERVAL_S: '0' });
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    await runImport();
    await caughtUp(place);
    const model = await dump(place);
    await place.sql.query('DELETE FROM order_items WHERE order_id = 100');
    await place.sql.query('DELETE FROM orders WHERE id = 100');
    expect(await runImport()).toMatchObject({ orders: 1, skipped: 5 });
    await caughtUp(place);
    expect(await dump(place)).toEqual(model);
  } finally {
    await tally.app.close();
  }
});

test('bad rows of several files are reported, and a file that is not there first', async () => {
  await rewrite('orders.csv', '100,5', '100,6');
  await rewrite('products.csv', '4.50', 'x');
  await rm(join(directory, 'users.csv'));
  const found = await faults();
  expect(found.length).toBeGreaterThanOrEqual(3);
  expect(found[0]).toContain('users.csv: there is no such file');
});

test('files of a spreadsheet, with a byte order mark and CRLF, are read like others', async () => {
  for (const [file, text] of Object.entries(FILES)) {
    await writeFile(join(directory, file), `\ufeff${text.replaceAll('\n', '\r\n')}`);
  }
  const { users, products, orders } = await readImport(directory);
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
  await expect(readImport(directory)).rejects.toMatchObject({
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

test('the command line imports, verifies and rebuilds, and says so by its exit code', async () => {
  const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  const complain = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  const write = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
  const tally = await startTally(place);
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    expect(await main(['import', '--dir', directory], place.env)).toBe(0);
    expect(print.mock.calls.flat().join('\n')).toContain('Imported 2 users, 2 products and 2 orders.');
    expect(print.mock.calls.flat().join('\n')).toContain('The reports show it (position 6).');
    expect(await main(['status'], place.env)).toBe(0);
    const free = async (args: string[]) => until(async () => (await main(args, place.env)) + 1);
    expect(await free(['verify'])).toBe(1);
    const generation = await place.redis.get(`${place.prefix}:live:1`);
    await place.redis.del(`{${place.prefix}:${generation}}:order:100`);
    expect(await main(['verify'], place.env)).toBe(1);
    expect(print.mock.calls.flat().join('\n')).toContain('order:100');
    expect(await main(['repair'], place.env)).toBe(0);
    expect(await main(['verify'], place.env)).toBe(0);
    expect(await main(['rebuild'], place.env)).toBe(0);
    expect(await place.redis.get(`${place.prefix}:live:1`)).not.toBe(generation);
    expect(Object.keys(await dump(place))).toContain('order:100');

    expect(await main(['import', '--dir', '/nowhere'], place.env)).toBe(1);
    expect(await main(['import'], place.env)).toBe(1);
    expect(await main(['verify'], { DATABASE_URL: 'nonsense' })).toBe(1);
    expect(complain.mock.calls.flat().join('\n')).toContain('REDIS_URL is not set');
  } finally {
    await tally.app.close();
    print.mockRestore();
    complain.mockRestore();
    write.mockRestore();
  }
});
