import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fuzz } from '../../torture/contract';
import { newPlace, seedCatalogue, startTally, until, type Place, type Tally } from '../support/tally';

/** Fixed, so that a failure is one for everybody. */
const SEED = 20_261_128;
/** Of each operation. */
const REQUESTS = 200;

let place: Place;
let tally: Tally;

beforeAll(async () => {
  place = await newPlace();
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
  const { user, products } = await seedCatalogue(tally, ['1.00', '2.50', '0']);
  for (const product_id of products) {
    await tally.post('/orders', { user_id: user, items: [{ product_id, quantity: 2 }] });
  }
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

test('the document passes the recommended rules of Redocly', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-openapi-'));
  try {
    const file = join(directory, 'openapi.json');
    await writeFile(file, JSON.stringify((await tally.get('/openapi.json')).body));
    const cli = require.resolve('@redocly/cli/bin/cli.js');
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    const { stderr } = await promisify(execFile)(
      process.execPath,
      [cli, 'lint', '--extends', 'recommended', file],
      { env },
    );
    expect(stderr).not.toMatch(/You have \d+ warning/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('whatever a request is made of, its answer is one that the document describes', async () => {
  const { requests, reached, violations } = await fuzz(tally.app.url, { seed: SEED, requests: REQUESTS });
  expect(violations).toEqual([]);
  // It has come far enough to find something.
  expect(requests).toBeGreaterThan(3_000);
  for (const answer of [
    'createOrder 201',
    'createOrder 422',
    'createOrder 400',
    'getOrder 200',
    'getOrder 404',
    'deleteOrder 200',
    'sales 200',
    'bestSellers 200',
    'createUser 201',
    'listOrders 200',
  ]) {
    expect(reached).toContain(answer);
  }
}, 120_000);
