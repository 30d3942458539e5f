import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise';
import { failureOf, isBeforeCommit } from '../src/mysql/failures';
import { privateDatabase } from './support/private-database';
import { newPlace, seedCatalogue, startTally, until, type Place, type Tally } from './support/tally';

const PASSWORD = 'a-password-of-the-database';

let database: Awaited<ReturnType<typeof privateDatabase>>;
let root: Pool;
let place: Place;

beforeAll(async () => {
  [database, place] = await Promise.all([privateDatabase(), newPlace()]);
  root = createPool(database.url);
  // As a shop would run it: without the right to write into a server that is read-only.
  await root.query(`CREATE USER 'shop'@'%' IDENTIFIED BY '${PASSWORD}'`);
  await root.query("GRANT ALL ON `shop`.* TO 'shop'@'%'");
});

afterAll(async () => {
  await root.end();
  await Promise.all([database.stop(), place.close()]);
});

/** A service that is ready, for the time of a test. */
async function withTally(work: (tally: Tally) => Promise<void>): Promise<void> {
  const url = new URL(database.url);
  Object.assign(url, { username: 'shop', password: PASSWORD, pathname: '/shop' });
  const tally = await startTally(place, { DATABASE_URL: url.href });
  try {
    await until(async () => (await tally.get('/health/ready')).status === 200);
    await work(tally);
  } finally {
    await tally.app.close();
  }
}

async function withGlobals(settings: Record<string, number>, work: () => Promise<void>): Promise<void> {
  const [[before]] = await root.query<RowDataPacket[]>(
    `SELECT ${Object.keys(settings)
      .map((name) => `@@GLOBAL.${name} AS ${name}`)
      .join()}`,
  );
  const set = (values: object) =>
    root.query(
      `SET ${Object.entries(values)
        .map(([name, value]) => `GLOBAL ${name} = ${value}`)
        .join()}`,
    );
  await set(settings);
  try {
    await work();
  } finally {
    await set(before ?? {});
  }
}

test('a MySQL that is read-only is named as the reason, and the service is not ready until it takes commands', () =>
  withTally(async (tally) => {
    let count = 0;
    const add = () => tally.post('/users', { name: 'Ada', email: `ada-${count++}@example.com` });
    expect((await add()).status).toBe(201);
    await withGlobals({ read_only: 1 }, async () => {
      for (const { status, body, headers } of [await add(), await add(), await add()]) {
        expect([status, headers.get('retry-after')]).toEqual([503, '10']);
        expect(body).toMatchObject({
          type: 'urn:tally:problem:mysql-unwritable',
          detail: 'MySQL is read-only; nothing was changed.',
        });
      }
      const { status, body } = await tally.get('/health/ready');
      expect(status).toBe(503);
      expect(body.checks.commands).toMatchObject({
        ok: false,
        detail: expect.stringContaining('MySQL is read-only'),
      });
      expect((await tally.get('/orders/reports/summary')).status).toBe(200);
    });
    expect((await add()).body).toMatchObject({ projected: true });
    expect((await tally.get('/health/ready')).status).toBe(200);
  }));

test('a group whose packet MySQL does not take is carried out command by command, and a command that is too large is refused', () =>
  withGlobals({ net_buffer_length: 1024, max_allowed_packet: 4096 }, () =>
    withTally(async (tally) => {
      const { user, products } = await seedCatalogue(tally, ['1.00', '2.00']);
      const order = (lines: number) =>
        tally.post('/orders', {
          user_id: user,
          items: Array.from({ length: lines }, (_, line) => ({
            product_id: products[line % 2],
            quantity: 1,
          })),
        });
      const answers = await Promise.all(Array.from({ length: 40 }, () => order(1)));
      expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(201));
      const { status, body } = await order(100);
      expect(status).toBe(503);
      expect(body).toMatchObject({
        type: 'urn:tally:problem:too-large-for-mysql',
        detail: expect.stringContaining('max_allowed_packet'),
      });
      expect((await tally.get('/orders/reports/summary')).body.orders).toBe(40);
    }),
  ));

test.each([
  ['a full disk', 1021],
  ['a file that cannot be written', 1026],
  ['an error of the file system', 1030],
  ['a table that cannot grow', 1114],
])('%s is known as such, and not taken for an answer before COMMIT', (_, errno) => {
  const error = Object.assign(new Error('it failed'), { errno });
  expect([failureOf(error), isBeforeCommit(error)]).toEqual(['unwritable', false]);
});
