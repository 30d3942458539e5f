import { main } from '../src/main';
import { proxyRedis } from '../torture/proxy';
import { backUp, restore } from './support/backup';
import {
  caughtUp,
  dump,
  liveGeneration,
  newPlace,
  positionOf,
  rootOf,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
} from './support/tally';

const places: Place[] = [];
const running: Tally[] = [];

async function newOne(overrides: Record<string, string> = {}): Promise<Place> {
  const place = await newPlace(overrides);
  places.push(place);
  return place;
}

async function start(place: Place, overrides: Record<string, string> = {}): Promise<Tally> {
  const tally = await startTally(place, overrides);
  running.push(tally);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  return tally;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ app }) => app.close()));
  await Promise.all(places.splice(0).map((place) => place.close()));
});

test('after a restore of MySQL nobody is shown the history that is lost for the one that is asked for', async () => {
  // A wait of its own for each read, so that what is answered before the rebuild is seen, too.
  const place = await newOne({ READ_WAIT_MS: '20', PROJECTION_WAIT_MS: '200' });
  const services = [await start(place), await start(place)];
  const [tally] = services as [Tally, Tally];
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  const order = (quantity: number) =>
    tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity }] });
  let units = 0;
  for (let round = 1; round <= 4; round++) {
    await until(async () => (await order(1)).status === 201);
    units += 1;
    await caughtUp(place);
    const backup = await backUp(place.sql);
    for (let n = 0; n < 40; n++) await order(1000);
    await caughtUp(place);
    await restore(place.sql, backup);

    // The log goes on from the backup: the same positions are other events now, and the checkpoint is far beyond them.
    const next = await order(1);
    units += 1;
    const at = next.headers.get('tally-position') ?? '';
    const answers = new Set<number>();
    await until(async () => {
      const reads = await Promise.all(
        services.map((service) => service.get('/orders/reports/summary', { 'tally-min-position': at })),
      );
      for (const { status, body } of reads) {
        answers.add(status);
        if (status === 200) expect([round, body.units]).toEqual([round, units]);
      }
      return reads.every(({ status }) => status === 200);
    });
    expect([...answers].filter((status) => status !== 200 && status !== 503)).toEqual([]);
  }
  await caughtUp(place);
  expect((await dump(place)).totals).toMatchObject({ units: String(units) });
});

test('events that MySQL lost while Redis was away destroy no healthy model, however many times it comes back', async () => {
  const place = await newOne({ PROJECTION_WAIT_MS: '50', REDIS_TIMEOUT_MS: '500' });
  const proxied = await proxyRedis(place.config.REDIS_URL);
  const cut = await start(place, { REDIS_URL: proxied.url });
  const whole = await start(place);
  try {
    const { user, products } = await seedCatalogue(whole, ['1.00']);
    const order = (tally: Tally) =>
      tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
    await order(whole);
    await caughtUp(place);
    const backup = await backUp(place.sql);
    await proxied.proxy.cut();
    // Committed, and pending in a process that cannot reach Redis. The other one applies none of it.
    for (let n = 0; n < 4; n++) expect((await order(cut)).body.projected).toBe(false);
    await restore(place.sql, backup);
    await until(async () => (await order(whole)).body.projected === true);
    await proxied.proxy.restore();
    await until(async () => (await cut.get('/health/ready')).status === 200);
    await caughtUp(place);
    const generation = await liveGeneration(place);
    for (let n = 0; n < 5; n++) {
      await until(async () => (await order(whole)).body.projected === true);
      await until(async () => (await cut.get('/orders/reports/summary')).status === 200);
    }
    expect(await liveGeneration(place)).toBe(generation);
  } finally {
    await Promise.all(running.splice(0).map(({ app }) => app.close()));
    await proxied.proxy.close();
  }
});

test('services with copies of one database on one Redis stop rebuilding each other’s model, say so, and share nothing with a log id of their own', async () => {
  const original = await newOne();
  const mine = await start(original);
  const { user, products } = await seedCatalogue(mine, ['1.00']);
  const order = (tally: Tally, quantity: number) =>
    tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity }] });
  await order(mine, 1);
  await caughtUp(original);
  const copy = await newOne({
    REDIS_PREFIX: original.prefix,
    PROJECTION_WAIT_MS: '100',
    READ_WAIT_MS: '100',
  });
  await start(copy); // for its tables
  await restore(copy.sql, await backUp(original.sql));
  const [theirs] = running.slice(1) as [Tally];
  await until(async () => (await theirs.get('/health/ready')).status === 200);

  // Each goes on by itself: from then on the one's checkpoint is of no history that the other knows.
  let isContested = false;
  await until(async () => {
    await order(mine, 1);
    await order(theirs, 1);
    const answers = await Promise.all([mine, theirs].map((tally) => tally.get('/orders/reports/summary')));
    isContested = answers.some(({ body }) => body.type === 'urn:tally:problem:read-model-diverged');
    return isContested;
  });
  expect(isContested).toBe(true);

  const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    expect(await main(['new-log-id'], copy.env)).toBe(0);
  } finally {
    print.mockRestore();
  }
  await until(async () => {
    const [one, two] = await Promise.all([order(mine, 1), order(theirs, 1)]);
    const headers = [one, two].map((answer) => ({
      'tally-min-position': answer.headers.get('tally-position') ?? '',
    }));
    const reads = await Promise.all([
      mine.get('/orders/reports/summary', headers[0]),
      theirs.get('/orders/reports/summary', headers[1]),
    ]);
    return reads.every(({ status }, index) => status === 200 && positionOf([one, two][index] ?? one) > 0);
  }, 60_000);
  await caughtUp(original);
  await caughtUp(copy);
  expect(await rootOf(original)).not.toBe(await rootOf(copy));
});
