import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../src/main';
import {
  caughtUp,
  dump,
  keysOf,
  liveGeneration,
  liveKeyOf,
  newPlace,
  startTally,
  until,
  type Place,
} from './support/tally';

const FILES = {
  'users.csv': 'id,name,email\n5,"Müller, Söhne & Co.",m@example.com\n7,Ada,ada@example.com\n',
  'products.csv': 'id,name,sku,price\n10,Tea,T-1,4.50\n20,Cup,C-1,3\n',
  'orders.csv': 'id,user_id,created_at\n100,5,1996-07-04T00:00:00Z\n300,7,2024-02-29T23:59:59.999+02:00\n',
  'order_items.csv':
    'order_id,product_id,quantity,unit_price\n100,10,12,4.00\n300,20,1,3.00\n100,20,1,2.50\n',
};

let directory: string;
let place: Place;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-import-'));
  for (const [file, text] of Object.entries(FILES)) await writeFile(join(directory, file), text);
  place = await newPlace();
});

afterEach(async () => {
  await place.close();
  await rm(directory, { recursive: true });
});

test('ids, dates and prices are those of the files, and the reports show them', async () => {
  expect(await main(['import', '--dir', directory], place.env)).toBe(0);
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

test('an order that another program deleted and an import brings back counts once', async () => {
  const tally = await startTally(place, { VERIFY_INTERVAL_S: '0' });
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    expect(await main(['import', '--dir', directory], place.env)).toBe(0);
    await caughtUp(place);
    const model = await dump(place);
    await place.sql.query('DELETE FROM order_items WHERE order_id = 100');
    await place.sql.query('DELETE FROM orders WHERE id = 100');
    expect(await main(['import', '--dir', directory], place.env)).toBe(0);
    await caughtUp(place);
    expect(await dump(place)).toEqual(model);
  } finally {
    await tally.app.close();
  }
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
    const generation = await liveGeneration(place);
    await place.redis.del(await liveKeyOf(place, 'order:100'));
    expect(await main(['verify'], place.env)).toBe(1);
    expect(print.mock.calls.flat().join('\n')).toContain('order:100');
    expect(await main(['repair'], place.env)).toBe(0);
    expect(await main(['verify'], place.env)).toBe(0);
    expect(await main(['rebuild'], place.env)).toBe(0);
    expect(await liveGeneration(place)).not.toBe(generation);
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

test('verify changes nothing: no table, no key, no event, not even its own last result', async () => {
  const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  const complain = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    expect(await main(['verify'], place.env)).toBe(1);
    expect(complain.mock.calls.flat().join('\n')).toContain('no schema of Tally yet');
    expect((await place.sql.query('SHOW TABLES'))[0]).toEqual([]);

    const tally = await startTally(place, { VERIFY_INTERVAL_S: '0' });
    await until(async () => (await tally.get('/health/ready')).status === 200);
    await caughtUp(place);
    await tally.app.close();
    // SCAN promises no order.
    const everything = async () => {
      const keys = (await keysOf(place.redis, place.prefix)).sort();
      return Promise.all(keys.map(async (key) => [key, await place.redis.dumpBuffer(key)]));
    };
    const before = await everything();
    expect(await main(['verify'], place.env)).toBe(0);
    expect(await everything()).toEqual(before);

    // Events that no service has brought to Redis stay where they are.
    await main(['import', '--dir', directory], place.env);
    const behind = await everything();
    expect(await main(['verify'], place.env)).toBe(1);
    expect(complain.mock.calls.flat().join('\n')).toContain('wait for a service');
    expect(await everything()).toEqual(behind);
  } finally {
    print.mockRestore();
    complain.mockRestore();
  }
});
