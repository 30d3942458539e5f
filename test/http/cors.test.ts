import { bearer, newKey } from '../support/keys';
import { newPlace, startTally, until, type Answer, type Place, type Tally } from '../support/tally';

const SHOP = 'https://shop.example';

let place: Place;
let tally: Tally;
let key: Record<string, string>;

beforeAll(async () => {
  place = await newPlace({ ACCESS: 'closed', CORS_ORIGINS: `http://localhost:5173,${SHOP}` });
  key = bearer(await newKey(place, 'shop', ['orders:write', 'reports:read']));
  tally = await startTally(place);
  await until(async () => (await tally.get('/orders', key)).status === 200);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

const allowed = ({ headers }: Answer) => headers.get('access-control-allow-origin');

/** What a browser asks before it lets a page send an order. */
async function preflight(of: Tally, origin: string, path = '/orders'): Promise<Answer> {
  const response = await fetch(of.app.url + path, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? text : JSON.parse(text) };
}

test('a page of a listed origin may send what the API takes, and read what it answers', async () => {
  const { status, headers } = await preflight(tally, SHOP);
  expect(status).toBe(204);
  expect(Object.fromEntries(headers)).toMatchObject({
    'access-control-allow-origin': SHOP,
    'access-control-allow-methods': 'GET, POST, DELETE',
    'access-control-allow-headers':
      'authorization, content-type, idempotency-key, tally-min-position, x-request-id',
    'access-control-max-age': '600',
    vary: 'Origin',
  });
  expect(headers.has('access-control-allow-credentials')).toBe(false);

  const answer = await tally.get('/orders', { ...key, origin: SHOP });
  expect([answer.status, allowed(answer), answer.headers.get('vary')]).toEqual([200, SHOP, 'Origin']);
  expect(answer.headers.get('access-control-expose-headers')?.split(', ')).toEqual(
    expect.arrayContaining(['idempotent-replayed', 'location', 'ratelimit', 'retry-after', 'tally-position']),
  );
  expect(allowed(await tally.get('/orders', { ...key, origin: 'http://localhost:5173' }))).toBe(
    'http://localhost:5173',
  );
});

test('it may read why it was refused, too', async () => {
  for (const [path, headers, expected] of [
    ['/orders', {}, 401],
    ['/orders?limit=0', key, 400],
    ['/nowhere', {}, 404],
  ] as const) {
    const answer = await tally.get(path, { ...headers, origin: SHOP });
    expect([path, answer.status, allowed(answer)]).toEqual([path, expected, SHOP]);
  }
});

test.each(['https://evil.example', 'http://shop.example', 'https://shop.example:8443', 'null'])(
  'a page of %s may not',
  async (origin) => {
    const refused = await preflight(tally, origin);
    expect([refused.status, refused.body.type, allowed(refused)]).toEqual([
      405,
      'urn:tally:problem:method-not-allowed',
      null,
    ]);
    expect((await preflight(tally, origin, '/nowhere')).status).toBe(404);
    const answer = await tally.get('/orders', { ...key, origin });
    expect([answer.status, allowed(answer), answer.headers.get('vary')]).toEqual([200, null, 'Origin']);
  },
);

test('without CORS_ORIGINS, no page of another origin may', async () => {
  const closed = await startTally(place, { CORS_ORIGINS: '' });
  try {
    const answers = [await preflight(closed, SHOP), await closed.get('/orders', { ...key, origin: SHOP })];
    expect(answers.map(({ status }) => status)).toEqual([405, 200]);
    expect(answers.map(allowed)).toEqual([null, null]);
    expect(answers.some(({ headers }) => headers.has('vary'))).toBe(false);
  } finally {
    await closed.app.close();
  }
});
