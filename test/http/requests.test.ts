import { newPlace, startTally, until, type Place, type Tally } from '../support/tally';

let place: Place;
let tally: Tally;

beforeAll(async () => {
  place = await newPlace();
  tally = await startTally(place, { DOCS: 'off' });
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

const newUser = JSON.stringify({ name: 'Zoë', email: 'zoe@example.com' });

/** Registers a user with bytes and headers as they are. */
async function register(body: Buffer | string, headers: Record<string, string>) {
  const response = await fetch(`${tally.app.url}/users`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers,
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

test.each([
  ['Latin-1', Buffer.from(newUser, 'latin1'), { 'content-type': 'application/json' }, 400, 'malformed-json'],
  [
    'UTF-16',
    Buffer.from(newUser, 'utf16le'),
    { 'content-type': 'application/json; charset=utf-16' },
    415,
    'unsupported-media-type',
  ],
  [
    'gzip',
    newUser,
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    415,
    'unsupported-media-type',
  ],
  ['text', newUser, { 'content-type': 'text/plain' }, 415, 'unsupported-media-type'],
  ['two', newUser, { 'content-type': 'application/json, application/json' }, 415, 'unsupported-media-type'],
])('a body in %s is refused, and nothing is stored', async (_, body, headers, status, slug) => {
  const answer = await register(body, headers);
  expect([answer.status, answer.body.type]).toEqual([status, `urn:tally:problem:${slug}`]);
  expect(answer.body.error).toBe(answer.body.detail);
  expect((await tally.get('/users')).body.users).toEqual([]);
});

test.each([
  ['/orders?limit=0x10', 'limit: must be a whole number from 1 to 100'],
  ['/orders?limit=1e1', 'limit: must be a whole number from 1 to 100'],
  ['/orders?limit=101', 'limit: must be a whole number from 1 to 100'],
  ['/orders?limit=5&limit=6', 'limit: must be text'],
  ['/orders?limits=5', 'query: does not take limits'],
  ['/orders/reports/best-sellers?by=name', 'by: must be one of quantity, revenue'],
  ['/orders/reports/sales?from=2026-13-01&to=2026-12-01', 'from: must be a day like 2026-11-01'],
])('%s says in English what is wrong', async (path, fault) => {
  const { status, body } = await tally.get(path);
  expect([status, body.detail]).toEqual([400, `The query is not valid: ${fault}.`]);
});

test.each([
  ['/users', {}, 'name: is required; email: is required'],
  [
    '/users',
    { name: '', email: 'ada' },
    'name: must have at least 1 character; email: must be an email address',
  ],
  ['/users', [], 'body: must be an object'],
  ['/products', { name: 'Tea', sku: 'T', price: true }, 'price: must be text or a number'],
  [
    '/orders',
    { user_id: 1.5, items: [] },
    'user_id: must be a whole number; items: must have at least 1 item',
  ],
  [
    '/orders',
    { user_id: 0, items: [{ product_id: 1, quantity: 'two' }] },
    'user_id: must be at least 1; items.0.quantity: must be a number',
  ],
  ['/orders', { user_id: 1, items: [{ product_id: 1, quantity: 1 }], note: 'x' }, 'body: does not take note'],
])('POST %s %j says in English what is wrong', async (path, body, faults) => {
  const answer = await tally.post(path, body);
  expect([answer.status, answer.body.detail]).toEqual([400, `The body is not valid: ${faults}.`]);
});

test.each(['utf8', 'UTF-8', '"utf-8"'])('a body with charset=%s is taken', async (charset) => {
  const body = JSON.stringify({ name: 'Zoë', email: `user-${charset.length}@example.com` });
  const answer = await register(body, { 'content-type': `application/json; charset=${charset}` });
  expect(answer.status).toBe(201);
});

test('a path with another method is answered 405, and what it allows', async () => {
  const { status, headers, body } = await tally.send('PUT', '/orders/7', '', {});
  expect([status, body.type]).toEqual([405, 'urn:tally:problem:method-not-allowed']);
  expect(headers.get('allow')?.split(', ').sort()).toEqual(['DELETE', 'GET', 'HEAD']);
  expect((await tally.send('PUT', '/nowhere', '', {})).status).toBe(404);
});

test('the deletion of what is not there says that nothing was deleted', async () => {
  for (const path of ['/orders/99', '/products/99', '/users/99']) {
    expect((await tally.delete(path)).body).toMatchObject({ status: 404, deleted: false });
  }
});

test('GET / says what this is, answers are not sniffed, and DOCS=off leaves the docs out', async () => {
  const { headers, body } = await tally.get('/');
  expect(body).toEqual({ name: 'Tally', version: expect.any(String), openapi: '/openapi.json' });
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect((await tally.get('/docs')).status).toBe(404);
  expect((await tally.get('/openapi.json')).status).toBe(200);
});

test('the log of a failure shows no names and addresses', async () => {
  const own = await newPlace();
  const lines: string[] = [];
  const service = await startTally(own, { LOG_LEVEL: 'error' }, { write: (line) => void lines.push(line) });
  try {
    await until(async () => (await service.get('/health/ready')).status === 200);
    await own.sql.query('ALTER TABLE users MODIFY name VARCHAR(3) NOT NULL');
    const { status } = await service.post('/users', { name: 'Augusta', email: 'augusta@example.com' });
    expect(status).toBe(500);
    const failure = lines.find((line) => line.includes('unexpected error'));
    expect(failure).toContain("Data too long for column 'name'");
    expect(lines.join('')).not.toMatch(/augusta/i);
  } finally {
    await service.app.close();
    await own.close();
  }
});
