import { createPool, type Pool } from 'mysql2/promise';
import { failureOf, isBeforeCommit } from '../src/mysql/failures';
import { privateDatabase } from './support/private-database';
import { newPlace, startTally, until, type Place } from './support/tally';

let database: Awaited<ReturnType<typeof privateDatabase>>;
let root: Pool;
let place: Place;

beforeAll(async () => {
  [database, place] = await Promise.all([privateDatabase(), newPlace()]);
  root = createPool(database.url);
  // As a shop would run it: without the right to write into a server that is read-only.
  await root.query("CREATE USER 'shop'@'%' IDENTIFIED BY 'tea'");
  await root.query("GRANT ALL ON `shop`.* TO 'shop'@'%'");
});

afterAll(async () => {
  await root.end();
  await Promise.all([database.stop(), place.close()]);
});

test('a MySQL that is read-only is named as the reason, and the service is not ready until it takes commands', async () => {
  const url = new URL(database.url);
  Object.assign(url, { username: 'shop', password: 'tea', pathname: '/shop' });
  const tally = await startTally(place, { DATABASE_URL: url.href });
  let count = 0;
  const add = () => tally.post('/users', { name: 'Ada', email: `ada-${count++}@example.com` });
  const isReady = async () => (await tally.get('/health/ready')).status === 200;
  try {
    await until(isReady);
    expect((await add()).status).toBe(201);
    await root.query('SET GLOBAL read_only = ON');
    const answers = [await add(), await add(), await add()];
    for (const { status, body, headers } of answers) {
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

    await root.query('SET GLOBAL read_only = OFF');
    expect((await add()).body).toMatchObject({ projected: true });
    expect(await isReady()).toBe(true);
  } finally {
    await root.query('SET GLOBAL read_only = OFF');
    await tally.app.close();
  }
});

test.each([
  ['a full disk', 1021],
  ['a file that cannot be written', 1026],
  ['an error of the file system', 1030],
  ['a table that cannot grow', 1114],
])('%s is known as such, and not taken for an answer before COMMIT', (_, errno) => {
  const error = Object.assign(new Error('it failed'), { errno });
  expect([failureOf(error), isBeforeCommit(error)]).toEqual(['unwritable', false]);
});
