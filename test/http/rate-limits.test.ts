import { pino } from 'pino';
import { RateLimiter } from '../../src/access/rate-limit';
import { proxyRedis } from '../../torture/proxy';
import { bearer, newKey } from '../support/keys';
import { newPlace, rootOf, startTally, until, type Answer, type Place, type Tally } from '../support/tally';

let place: Place;
let running: Tally[];
/** Of somebody who may read. */
let key: Record<string, string>;

beforeEach(async () => {
  place = await newPlace({ ACCESS: 'closed' });
  running = [];
  key = bearer(await newKey(place, 'till', ['reports:read']));
});

afterEach(async () => {
  for (const { app } of running) await app.close();
  await place.close();
});

async function start(overrides: Record<string, string>, logged?: string[]): Promise<Tally> {
  const logStream = logged && { write: (line: string) => void logged.push(line) };
  const tally = await startTally(place, overrides, logStream);
  running.push(tally);
  // Nothing that is limited; Redis counts from here on.
  await until(async () => (await tally.get('/health/ready')).status === 200);
  return tally;
}

const limitKey = async (caller: string) => `${await rootOf(place)}:limit:${caller}`;
const statuses = (answers: Answer[]) => answers.map(({ status }) => status);
const times = (count: number, ask: () => Promise<Answer>) =>
  Promise.all(Array.from({ length: count }, () => ask()));
const inTurn = async (count: number, ask: () => Promise<Answer>) => {
  const answers: Answer[] = [];
  for (let sent = 0; sent < count; sent++) answers.push(await ask());
  return answers;
};
const countOf = (answers: Answer[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

test('all instances together serve a principal exactly as often as the limit says', async () => {
  const instances = [await start({ RATE_LIMIT: '200' }), await start({ RATE_LIMIT: '200' })];
  const answers = await Promise.all(
    instances.map(async (tally) => [
      ...(await times(120, () => tally.get('/users', key))),
      ...(await inTurn(120, () => tally.get('/users', key))),
    ]),
  );
  expect(countOf(answers.flat(), 200)).toBe(200);
  expect(countOf(answers.flat(), 429)).toBe(280);
});

test('what an instance took and does not use is a small part of the limit', async () => {
  const idle = await start({ RATE_LIMIT: '200' });
  const other = await start({ RATE_LIMIT: '200' });
  expect(statuses(await inTurn(50, () => idle.get('/users', key)))).toEqual(Array(50).fill(200));
  const served = countOf(await inTurn(200, () => other.get('/users', key)), 200);
  expect(served).toBeLessThanOrEqual(150);
  expect(served).toBeGreaterThanOrEqual(150 - 200 / 20);
});

test('who has sent too much is told how long to wait, and that is long enough', async () => {
  const tally = await start({ RATE_LIMIT: '3' });
  const first = await tally.get('/users', key);
  expect(first.headers.get('ratelimit-policy')).toBe('"principal";q=3;w=60');
  expect(first.headers.get('ratelimit')).toBe('"principal";r=2;t=60');
  // So that the test need not wait for a minute.
  await place.redis.pexpire(await limitKey('principal:1'), 2_500);
  expect(statuses(await inTurn(2, () => tally.get('/users', key)))).toEqual([200, 200]);

  const { status, headers, body } = await tally.get('/users', key);
  expect([status, body.type]).toEqual([429, 'urn:tally:problem:too-many-requests']);
  expect(body.detail).toMatch(/^The owner of this key may send 3 requests a minute: try again in 3 s\.$/);
  expect(headers.get('ratelimit')).toMatch(/^"principal";r=0;t=[123]$/);
  const retryAfter = Number(headers.get('retry-after'));
  expect(retryAfter).toBe(3);
  await until(async () => (await tally.get('/users', key)).status === 200, retryAfter * 1000);
});

test('refused keys count for their address, and do not hold up those who have a good one', async () => {
  const tally = await start({ RATE_LIMIT_ANONYMOUS: '4' });
  const wrong = `${key.authorization?.slice(0, -2)}__`;
  const unknown = `Bearer tally_0123456789ab_${'x'.repeat(43)}`;
  const guesses = [{}, { authorization: wrong }, { authorization: unknown }, { authorization: 'nonsense' }];
  for (const guess of guesses) expect((await tally.get('/users', guess)).status).toBe(401);
  for (const guess of guesses) expect((await tally.get('/users', guess)).status).toBe(429);
  const { headers, body } = await tally.get('/docs');
  expect([body.type, body.detail]).toEqual([
    'urn:tally:problem:too-many-requests',
    expect.stringMatching(/^Whoever sends no good key may send 4 requests a minute from one address: try/),
  ]);
  expect(headers.get('ratelimit-policy')).toBe('"address";q=4;w=60');
  expect((await tally.get('/users', key)).status).toBe(200);
  const metrics = String((await tally.get('/metrics', key)).body);
  expect(metrics).toContain('tally_rate_limited_total{limit="address"} 5');
  expect(metrics).toContain('tally_access_refused_total{problem="unauthenticated"} 4');
});

test('what is open to everybody has no limit, nor has anything with `off`', async () => {
  const tally = await start({ RATE_LIMIT: 'off', RATE_LIMIT_ANONYMOUS: '1' });
  for (const path of ['/health/live', '/', '/nowhere']) {
    const answers = await inTurn(3, () => tally.get(path));
    expect(answers.every(({ status, headers }) => status !== 429 && !headers.has('ratelimit'))).toBe(true);
  }
  expect(statuses(await inTurn(3, () => tally.get('/users', key)))).toEqual([200, 200, 200]);
});

test('without any key, programs on this machine have no limit', async () => {
  const fresh = await newPlace({ RATE_LIMIT: '1', RATE_LIMIT_ANONYMOUS: '1' });
  const tally = await startTally(fresh);
  try {
    expect(statuses(await inTurn(3, () => tally.get('/users')))).toEqual([200, 200, 200]);
  } finally {
    await tally.app.close();
    await fresh.close();
  }
});

test.each(['cut', 'blackHole'] as const)(
  'while Redis is away (%s) nobody is refused, nobody waits for it, and the log says so once',
  async (outage) => {
    const { proxy, url } = await proxyRedis(place.config.REDIS_URL);
    const logged: string[] = [];
    const own = { REDIS_URL: url, REDIS_TIMEOUT_MS: '500', RATE_LIMIT: '1', LOG_LEVEL: 'info' };
    const tally = await start(own, logged);
    const lines = (text: string) => logged.filter((line) => line.includes(text)).length;
    try {
      expect((await tally.get('/users', key)).status).toBe(200);
      await place.redis.del(await limitKey('principal:1'));
      await proxy[outage]();
      // Another one, of whom nothing is known here.
      const other = bearer(await newKey(place, 'other', ['reports:read']));
      await until(async () => (await tally.get('/users', other)).status === 200);
      const before = performance.now();
      expect(countOf(await inTurn(200, () => tally.get('/users', other)), 200)).toBe(200);
      // Each waiting for 50 ms, they would take 10 s.
      expect(performance.now() - before).toBeLessThan(5_000);
      const metrics = String((await tally.get('/metrics', other)).body);
      expect(metrics).toMatch(/^tally_rate_limit_unavailable_total 20\d$/m);
      expect(lines('rate limits refuse nobody')).toBe(1);

      proxy.endBlackHole();
      await proxy.restore();
      await until(async () => (await tally.get('/users', other)).status === 429);
      expect([lines('rate limits refuse nobody'), lines('rate limits are applied')]).toEqual([1, 1]);
    } finally {
      await proxy.close();
    }
  },
);

test.each([
  ['', '1'],
  ['SET', 'tea'],
  ['SET', '1000000'],
  ['LPUSH', 'tea'],
])('a count that somebody set by hand (%s %s) shuts nobody out', async (command, value) => {
  const tally = await start({ RATE_LIMIT: '2' });
  const name = await limitKey('principal:1');
  if (command !== '') await place.redis.call(command, name, value);
  expect(statuses(await inTurn(3, () => tally.get('/users', key)))).toEqual([200, 200, 429]);
  expect(await place.redis.pttl(name)).toBeGreaterThan(0);
});

describe('the address', () => {
  const from = (tally: Tally, address: string) => tally.get('/users', { 'x-forwarded-for': address });

  test('is that of the connection, whatever is forwarded', async () => {
    const tally = await start({ RATE_LIMIT_ANONYMOUS: '1' });
    expect((await from(tally, '203.0.113.1')).status).toBe(401);
    expect((await from(tally, '203.0.113.2')).status).toBe(429);
  });

  test('is what a proxy forwards that TRUST_PROXY names', async () => {
    const tally = await start({ RATE_LIMIT_ANONYMOUS: '1', TRUST_PROXY: '192.0.2.1,127.0.0.0/8' });
    expect((await from(tally, '203.0.113.1')).status).toBe(401);
    expect((await from(tally, '203.0.113.2')).status).toBe(401);
    // What the client says of itself comes before what the proxy adds.
    expect((await from(tally, '203.0.113.3, 203.0.113.1')).status).toBe(429);
  });
});

test('of many requests few ask Redis, and of a caller who seldom comes each takes one', async () => {
  const limiter = new RateLimiter(
    place.redis,
    (caller) => `${place.prefix}-${caller}`,
    pino({ level: 'silent' }),
  );
  const limit = 100_000;
  let asked = 0;
  const send = async (caller: string) => {
    if (limiter.count(caller)?.isWithin === true) return;
    asked += 1;
    await limiter.ask(caller, limit);
  };
  for (let sent = 0; sent < 10_000; sent++) await send('busy');
  expect(asked).toBeLessThan(100);
  await send('seldom');
  expect(await place.redis.get(`${place.prefix}-seldom`)).toBe('1');
});
