import { ConfigError, loadConfig } from '../src/config';

const GOOD = { DATABASE_URL: 'mysql://root@localhost/tally', REDIS_URL: 'redis://localhost' };

test('what is not set has its default, and an empty variable is not set', () => {
  const config = loadConfig({ ...GOOD, PORT: '', PROJECTION_WAIT_MS: '250' });
  expect(config).toMatchObject({ HOST: '127.0.0.1', PORT: 3000, PROJECTION_WAIT_MS: 250 });
  expect(Object.isFrozen(config)).toBe(true);
});

test('all faults are reported at once, without the values, which may be secret', () => {
  const load = () =>
    loadConfig({ DATABASE_URL: 'postgres://user:secret@host/db', PORT: 'http', LOG_LEVEL: 'loud' });
  expect(load).toThrow(ConfigError);
  const message = messageOf(load);
  for (const name of ['DATABASE_URL', 'REDIS_URL', 'PORT', 'LOG_LEVEL']) expect(message).toContain(name);
  expect(message).not.toContain('secret');
});

test.each([
  'mysql://root@localhost',
  'mysql://root@localhost/',
  'localhost/tally',
  'postgres://root@localhost/tally',
])('a DATABASE_URL has to name a server and a database: %s', (url) => {
  expect(() => loadConfig({ ...GOOD, DATABASE_URL: url })).toThrow('must be like mysql://');
});

test.each(['http://foo', 'mysql://root@localhost/tally', 'redis+cluster://h'])(
  'a REDIS_URL of another protocol is not taken for the path of a socket: %s',
  (url) => {
    expect(() => loadConfig({ ...GOOD, REDIS_URL: url })).toThrow(
      'REDIS_URL: must be like redis://host:6379',
    );
  },
);

test.each(['redis://localhost', 'rediss://u:p@host:6380/2', '/run/redis.sock', 'localhost:6379', '6379'])(
  'REDIS_URL may be %s',
  (url) => {
    expect(loadConfig({ ...GOOD, REDIS_URL: url }).REDIS_URL).toBe(url);
  },
);

test('sentinels need the name of their primary, and the other way round', () => {
  const sentinels = { REDIS_SENTINELS: 'a.example:26379,10.0.0.2:26380' };
  expect(loadConfig({ ...GOOD, ...sentinels, REDIS_SENTINEL_NAME: 'shop' }).REDIS_SENTINELS).toEqual([
    { host: 'a.example', port: 26379 },
    { host: '10.0.0.2', port: 26380 },
  ]);
  expect(() => loadConfig({ ...GOOD, ...sentinels })).toThrow(
    'REDIS_SENTINEL_NAME is not set: it goes with REDIS_SENTINELS',
  );
  expect(() => loadConfig({ ...GOOD, REDIS_SENTINEL_NAME: 'shop' })).toThrow('REDIS_SENTINELS is not set');
  expect(() => loadConfig({ ...GOOD, REDIS_SENTINELS: 'a.example' })).toThrow('must be like host:26379');
});

test('a rate limit is a number, or off', () => {
  const read = (RATE_LIMIT: string) => loadConfig({ ...GOOD, RATE_LIMIT }).RATE_LIMIT;
  expect([read(''), read('600'), read('off')]).toEqual([60_000, 600, 'off']);
  for (const wrong of ['0', '-1', '1.5', 'none']) expect(() => read(wrong)).toThrow('RATE_LIMIT: ');
});

test('TRUST_PROXY lists addresses and networks', () => {
  const read = (TRUST_PROXY: string) => loadConfig({ ...GOOD, TRUST_PROXY }).TRUST_PROXY;
  expect(read('')).toBeUndefined();
  expect(read('10.0.0.1,2001:db8::/32')).toEqual(['10.0.0.1', '2001:db8::/32']);
  for (const wrong of ['true', '10', '10.0.0.0/33', '10.0.0.1, 10.0.0.2', 'proxy.example', '10.0.0.1,']) {
    expect(() => read(wrong)).toThrow('TRUST_PROXY: must be like 10.0.0.1,192.168.0.0/16');
  }
});

test('CORS_ORIGINS lists origins as browsers write them', () => {
  const read = (CORS_ORIGINS: string) => loadConfig({ ...GOOD, CORS_ORIGINS }).CORS_ORIGINS;
  expect(read('')).toBeUndefined();
  const origins = 'https://shop.example,http://localhost:5173';
  expect(read(origins)).toEqual(origins.split(','));
  for (const wrong of [
    '*',
    'null',
    'shop.example',
    'https://shop.example/',
    'https://Shop.example',
    'https://a,',
  ]) {
    expect(() => read(wrong)).toThrow('CORS_ORIGINS: must be like https://shop.example');
  }
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it did not fail');
}
