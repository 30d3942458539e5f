import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { newPlace, startTally, until, type Place, type Tally } from '../support/tally';

let place: Place;
let tally: Tally;

beforeAll(async () => {
  place = await newPlace({ REQUEST_TIMEOUT_MS: '1000', MAX_CONNECTIONS: '100' });
  tally = await startTally(place);
  await until(async () => (await tally.get('/health/ready')).status === 200);
});

afterAll(async () => {
  await tally.app.close();
  await place.close();
});

async function open(text = ''): Promise<Socket> {
  const socket = connect(Number(new URL(tally.app.url).port), '127.0.0.1');
  socket.on('error', () => undefined); // a reset is an end, too
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

/** All that the service sends until it ends the connection. */
async function everything(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.on('close', resolve));
  return Buffer.concat(chunks).toString();
}

async function metric(name: string): Promise<number> {
  const { body } = await tally.get('/metrics');
  const line = String(body)
    .split('\n')
    .find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const pipelined = (path: string, count: number) =>
  `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(count);
const LAST = 'GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';

test('of pipelined requests whose answers nobody reads a few are carried out; once somebody reads, all are', async () => {
  const answered =
    'tally_http_request_duration_seconds_count{method="GET",route="/openapi.json",status="200"}';
  const count = 1_000;
  const socket = await open(pipelined('/openapi.json', count) + LAST);
  // It sends as much as the operating system takes.
  let before = -1;
  await until(async () => {
    const now = await metric(answered);
    const isSteady = now > 0 && now === before;
    before = now;
    return isSteady;
  });
  expect(before).toBeLessThan(count);
  // The request for the metrics itself is one more.
  expect(await metric('tally_http_requests_in_flight')).toBe(16 + 1);

  const text = await everything(socket);
  expect(text.match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(count + 1);
  expect(await metric(answered)).toBe(count);
  expect(await metric('tally_http_requests_in_flight')).toBe(1);
});

test('what many connections pipeline and nobody reads is bounded for all of them together', async () => {
  // Each brings as many as fit into one read, some 2,000.
  const sockets = await Promise.all(
    Array.from({ length: 30 }, () => open(pipelined('/openapi.json', 2_000))),
  );
  let before = -1;
  await until(async () => {
    const now = await metric('tally_http_requests_waiting');
    const isSteady = now > 10_000 && now === before;
    before = now;
    return isSteady;
  });
  expect(before).toBeLessThanOrEqual(20_000);
  expect((await tally.get('/health/ready')).status).toBe(200);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await metric('tally_http_requests_in_flight')) === 1);
});

test('however many requests are pipelined, a client that reads gets all answers', async () => {
  const count = 10_000;
  const text = await everything(await open(pipelined('/orders/reports/summary', count) + LAST));
  expect(text.match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(count + 1);
});

test('with HOST=localhost every address of it answers', async () => {
  const own = await startTally(place, { HOST: 'localhost' });
  try {
    const { port } = new URL(own.app.url);
    const answers = await Promise.all(
      ['127.0.0.1', '[::1]', 'localhost'].map(async (host) =>
        fetch(`http://${host}:${port}/health/live`, { signal: AbortSignal.timeout(10_000) }).then(
          ({ status }) => status,
          (error: Error) => (error.name === 'TimeoutError' ? 'no answer' : 'not there'),
        ),
      ),
    );
    expect(answers).toContain(200);
    expect(answers).not.toContain('no answer');
  } finally {
    await own.app.close();
  }
});

test('files that were to be sent are closed with their connection', async () => {
  const openFiles = async () => {
    const links = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    return links.filter((link) => link.endsWith('swagger-ui-bundle.js')).length;
  };
  const sockets = await Promise.all(
    Array.from({ length: 5 }, () => open(pipelined('/docs/static/swagger-ui-bundle.js', 40))),
  );
  await until(async () => (await openFiles()) >= 5);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await openFiles()) === 0);
  expect(await openFiles()).toBe(0);
});

test.each([
  ['malformed-request', 400, 'BREW /coffee HTTP/1.1\r\nhost: localhost\r\n\r\n'],
  ['malformed-request', 400, 'no HTTP at all\r\n\r\n'],
  ['headers-too-large', 431, `GET / HTTP/1.1\r\nhost: localhost\r\nx-much: ${'y'.repeat(20_000)}\r\n\r\n`],
  ['request-timeout', 408, 'GET /orders HTTP/1.1\r\nhost: localhost\r\n'],
  [
    'request-timeout',
    408,
    'POST /users HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"',
  ],
])('%s is a problem document, and is counted: %#', async (slug, status, request) => {
  const counter = `tally_http_malformed_requests_total{problem="${slug}"}`;
  const before = await metric(counter);
  const text = await everything(await open(request));
  expect(text.split('\r\n')[0]).toContain(` ${status} `);
  expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({
    type: `urn:tally:problem:${slug}`,
    status,
  });
  expect(await metric(counter)).toBe(before + 1);
});

test('a request that is no HTTP does not cost those before it their answers', async () => {
  const text = await everything(await open(pipelined('/read-model', 20) + 'no HTTP at all\r\n\r\n'));
  expect(text.match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(20);
  expect(text).toMatch(/urn:tally:problem:malformed-request[^}]*}$/);
});

test('a request that was answered before all of it had come has one answer', async () => {
  const text = await everything(
    await open('GET /health/live HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50000\r\n\r\nx'),
  );
  expect(text.match(/HTTP\/1\.1 /g)).toEqual(['HTTP/1.1 ']);
  expect(text).toContain(' 200 OK');
});

test('a request without Host is told so', async () => {
  const text = await everything(await open('GET /orders HTTP/1.1\r\nconnection: close\r\n\r\n'));
  expect(text).toContain(' 400 Bad Request');
  expect(text).toContain('The Host header is missing.');
});

test('CONNECT is answered with a problem document, and an expectation that nobody knows is ignored', async () => {
  const refused = await everything(await open('CONNECT example.com:443 HTTP/1.1\r\nhost: localhost\r\n\r\n'));
  expect(refused).toMatch(/^HTTP\/1\.1 400 /);
  expect(refused).toContain('urn:tally:problem:malformed-request');
  const expecting = LAST.replace('\r\n\r\n', '\r\nexpect: tea\r\n\r\n');
  expect(await everything(await open(expecting))).toMatch(/^HTTP\/1\.1 200 OK/);
});

test('there are at most MAX_CONNECTIONS; further ones are closed and counted', async () => {
  const sockets: Socket[] = [];
  try {
    await until(async () => {
      // Many for each look at the metrics: the first ones are closed again after REQUEST_TIMEOUT_MS.
      for (let opened = 0; opened < 20; opened++) sockets.push(await open());
      return (await metric('tally_http_connections_refused_total').catch(() => 0)) > 0;
    });
    expect(sockets.length).toBeGreaterThan(90); // the requests for the metrics keep connections, too
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
