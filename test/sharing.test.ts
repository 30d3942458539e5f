import { Problem } from '../src/domain/problems';
import { readTogether } from '../src/read-model/read-together';
import { Reader } from '../src/read-model/reader';
import type { Stores } from '../src/stores';
import { proxyRedis, type Proxy } from '../torture/proxy';
import { openHere } from './support/stores';
import {
  caughtUp,
  holdFence,
  newPlace,
  seedCatalogue,
  startTally,
  until,
  type Place,
  type Tally,
  positionOf,
} from './support/tally';

let place: Place;
let tally: Tally;
let redis: Proxy;
let stores: Stores;
let reader: Reader;
let order: () => ReturnType<Tally['post']>;

beforeAll(async () => {
  place = await newPlace();
  const proxied = await proxyRedis(place.config.REDIS_URL);
  redis = proxied.proxy;
  tally = await startTally(place, {
    REDIS_URL: proxied.url,
    REDIS_TIMEOUT_MS: '1000',
    PROJECTION_WAIT_MS: '300',
  });
  await until(async () => (await tally.get('/health/ready')).status === 200);
  const { user, products } = await seedCatalogue(tally, ['1.00']);
  order = () => tally.post('/orders', { user_id: user, items: [{ product_id: products[0], quantity: 1 }] });
  await order();
  await caughtUp(place);
  // Another process's reader, as it were: it knows nothing of the service's writes.
  stores = await openHere(place);
  reader = new Reader(
    stores.requests,
    stores.live,
    {
      freshness: {
        waitFor: async () => undefined,
        isUnknown: async () => false,
        areInLog: async () => true,
      },
      nudge() {},
      supervisor: {
        isLost: () => false,
        verifySoon() {},
        reconcileSoon() {},
        whyThereIsNone: async () => new Problem('read-model-building', ''),
      },
    },
    5000,
  );
});

afterAll(async () => {
  await stores.close();
  await tally.app.close();
  await redis.close();
  await place.close();
});

/** A question whose readings are counted; each is taken from Redis at once, and handed out when `gate` opens. */
function counted(question: string, gate: (nth: number) => Promise<void> = async () => undefined) {
  const counter = { begun: 0, taken: 0 };
  const ask = () =>
    reader.read(question, {}, async (keys) => {
      const nth = ++counter.begun;
      const reading = await readTogether(stores.requests, keys, [['HMGET', keys.totals(), 'orders']]);
      counter.taken += 1;
      await gate(nth);
      return reading;
    });
  return { counter, ask };
}

function newGate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

test('those who ask for the same at once share a reading; those who come while it is taken share the next', async () => {
  const gate = newGate();
  const { counter, ask } = counted('the same', (nth) => (nth === 1 ? gate.opened : Promise.resolve()));
  const first = Array.from({ length: 10 }, () => ask());
  await until(() => counter.taken === 1);
  const second = Array.from({ length: 10 }, () => ask());
  const answers = await Promise.all(second);
  gate.open();
  const earlier = await Promise.all(first);
  expect(counter.begun).toBe(2);
  expect(new Set(answers).size).toBe(1);
  expect(new Set(earlier).size).toBe(1);
  expect(answers[0]).not.toBe(earlier[0]);
});

test('other questions are not shared, and nothing is kept', async () => {
  const one = counted('one');
  const two = counted('two');
  await Promise.all([one.ask(), two.ask()]);
  await one.ask();
  await one.ask();
  expect([one.counter.begun, two.counter.begun]).toEqual([3, 1]);
});

test('nobody joins a reading that has begun: what was acknowledged before he asked is in his answer', async () => {
  const gate = newGate();
  const { counter, ask } = counted('begun', (nth) => (nth === 1 ? gate.opened : Promise.resolve()));
  const early = ask();
  await until(() => counter.taken === 1);
  const { body } = await order();
  expect(body.projected).toBe(true);
  const late = await ask();
  gate.open();
  expect((await early).at.position).toBeLessThan(body.position);
  expect(late.at.position).toBeGreaterThanOrEqual(body.position);
});

test('under writes no answer is older than what its reader has seen, from whomever', async () => {
  let writing = true;
  let seen = 0;
  const wrong: number[][] = [];
  const readers = Array.from({ length: 16 }, async () => {
    const { ask } = counted('monotonic');
    while (writing) {
      // Everything that any of them, or the writer, has been told of before this one asks.
      const before = seen;
      const { position } = (await ask()).at;
      if (position < before) wrong.push([before, position]);
      seen = Math.max(seen, position);
    }
  });
  for (let n = 0; n < 30; n++) {
    const { body } = await order();
    if (body.projected === true) seen = Math.max(seen, body.position);
  }
  writing = false;
  await Promise.all(readers);
  expect(wrong).toEqual([]);
});

test('who demands a position that the shared reading has not is answered by a later one; the others are not kept waiting', async () => {
  const path = '/orders/reports/summary';
  const release = await holdFence(place, 4_000);
  let demanding: ReturnType<Tally['get']>;
  let position: number;
  try {
    ({ position } = (await order()).body);
    demanding = tally.get(path, { 'tally-min-position': String(position) });
    const others = await Promise.all(Array.from({ length: 5 }, () => tally.get(path)));
    for (const other of others) {
      expect(other.status).toBe(200);
      expect(positionOf(other)).toBeLessThan(position);
    }
  } finally {
    await release();
  }
  const answer = await demanding;
  expect(answer.status).toBe(200);
  expect(positionOf(answer)).toBeGreaterThanOrEqual(position);
});

test('an error reaches all who share the reading, each in a document of his own', async () => {
  const ask = async () =>
    Promise.all(Array.from({ length: 8 }, () => tally.get('/orders/reports/best-sellers')));
  redis.freeze();
  try {
    const answers = await ask();
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.type}`))).toEqual(
      new Set(['503 urn:tally:problem:read-model-unreachable']),
    );
    expect(answers.map(({ body }) => body.instance)).toEqual(
      answers.map(({ headers }) => `urn:tally:request:${headers.get('x-request-id')}`),
    );
    expect(new Set(answers.map(({ body }) => body.instance)).size).toBe(8);
  } finally {
    redis.thaw();
  }
  const after = await until(async () => {
    const answers = await ask();
    return answers.every(({ status }) => status === 200) ? answers : undefined;
  });
  expect(new Set(after.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(new Set(after.map(({ headers }) => headers.get('x-request-id'))).size).toBe(8);
});
