import { connect } from 'node:net';
import { bearer, newKey } from '../support/keys';
import { newPlace, startTally, until, type Place, type Tally } from '../support/tally';

let place: Place;
let tally: Tally;
let key: Record<string, string>;

beforeAll(async () => {
  place = await newPlace({ ACCESS: 'closed' });
  key = bearer(await newKey(place, 'admin', ['admin']));
  tally = await startTally(place);
  await until(async () => (await tally.get('/orders', key)).status === 200);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

/** Sends this text, and returns the head of the answer. */
async function headOf(request: string): Promise<Headers> {
  const socket = connect(Number(new URL(tally.app.url).port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).write(request);
  await new Promise((resolve) => socket.on('close', resolve));
  const [head = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
  const [status = '', ...lines] = head.split('\r\n');
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return new Headers([['status', status.split(' ')[1] ?? ''], ...fields]);
}

test.each([
  ['200', 'GET /orders', true],
  ['200', 'GET /metrics', true],
  ['200', 'HEAD /orders', true],
  ['201', 'POST /users', true],
  ['400', 'GET /orders?limit=0', true],
  ['400', 'GET /%zz', true],
  ['401', 'GET /orders', false],
  ['404', 'GET /nowhere', true],
  ['404', 'GET /orders/1', true],
  ['405', 'PUT /orders', true],
  ['400', 'BREW /coffee', true],
])('%s: %s says that it is data, for nobody but who asked', async (status, request, hasKey) => {
  const body = JSON.stringify({ name: 'Ada', email: 'ada@example.com' });
  const sent = request.startsWith('POST')
    ? `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    : '\r\n';
  const auth = hasKey ? `authorization: ${key.authorization}\r\n` : '';
  const headers = await headOf(`${request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${auth}${sent}`);
  expect(Object.fromEntries(headers)).toMatchObject({
    status,
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  });
});

test('the page of /docs may load what is its own, and nothing else', async () => {
  const { headers, body } = await tally.get('/docs');
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self';");
  expect(policy).not.toContain('unsafe');
  expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
  // Everything that the page names is there, and there is no script or style within it.
  const named = [...String(body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(4);
  for (const path of named) expect([path, (await tally.get(path)).status]).toEqual([path, 200]);
  expect(String(body)).not.toMatch(/<style|style=|<script(?! src=)|\son\w+=/);
});
