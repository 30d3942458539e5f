import { request } from 'node:http';
import type { RowDataPacket } from 'mysql2/promise';
import { isSecretOf, newApiKey, parseToken, whyEnded } from '../src/access/api-key';
import { isPermission, isRole, PERMISSIONS, type Permission } from '../src/access/permissions';
import { startApp } from '../src/app';
import { ConfigError, loadConfig } from '../src/config';
import { instantAt } from '../src/domain/ids';
import { ROUTES, type Access } from '../src/http/route';
import { proxyDatabase, proxyRedis } from '../torture/proxy';
import { runCli } from './support/cli';
import { bearer, newKey as newKeyAt, tokenIn } from './support/keys';
import { newPlace, seedCatalogue, startTally, until, type Place, type Tally } from './support/tally';

let place: Place;
let tally: Tally;

beforeEach(async () => {
  place = await newPlace();
});

afterEach(async () => {
  await place.close();
});

const cli = (...args: string[]) => runCli(args, place.env);
const newKey = (name: string, scopes: readonly string[]) => newKeyAt(place, name, scopes);

async function inClosed(work: () => Promise<void>, overrides: Record<string, string> = {}): Promise<void> {
  tally = await startTally(place, { ACCESS: 'closed', ...overrides });
  try {
    await work();
  } finally {
    await tally.app.close();
  }
}

describe('a key', () => {
  const now = instantAt(Date.parse('2026-11-28T10:00:00Z'));

  test('is known by its token alone, and of the token only a hash is kept', () => {
    const { key, token } = newApiKey(now, undefined);
    const parsed = parseToken(token);
    expect(parsed?.id).toBe(key.id);
    expect(isSecretOf(key, parsed?.secret ?? '')).toBe(true);
    expect(isSecretOf(key, newApiKey(now, undefined).token.slice(19))).toBe(false);
    expect(JSON.stringify(key)).not.toContain(parsed?.secret);
  });

  test.each([
    '',
    'tally_',
    'tally_0123456789ab_short',
    'other_0123456789ab_'.padEnd(62, 'x'),
    `tally_${'x'.repeat(56)}`,
  ])('is not %j', (text) => {
    expect(parseToken(text)).toBeUndefined();
  });

  test('ends when it expires or is revoked, and not before', () => {
    const { key } = newApiKey(now, undefined);
    const later = instantAt(Date.parse(now) + 1);
    expect(whyEnded(key, now)).toBeUndefined();
    expect(whyEnded({ ...key, expiresAt: later }, now)).toBeUndefined();
    expect(whyEnded({ ...key, expiresAt: now }, now)).toBe('expired');
    expect(whyEnded({ ...key, revokedAt: later }, now)).toBeUndefined();
    expect(whyEnded({ ...key, revokedAt: now }, now)).toBe('revoked');
  });
});

test('what every object has is neither a permission nor a role', () => {
  for (const name of ['toString', 'constructor', '__proto__']) {
    expect([name, isPermission(name), isRole(name)]).toEqual([name, false, false]);
  }
});

test('every route lets exactly those callers through whom the table of routes allows', async () => {
  const sets: Permission[][] = [
    ...Object.keys(PERMISSIONS)
      .filter(isPermission)
      .map((permission) => [permission]),
    ['orders:write', 'reports:read'],
  ];
  const callers: { headers: Record<string, string>; permissions: Permission[] }[] = [];
  for (const [index, permissions] of sets.entries()) {
    callers.push({ headers: bearer(await newKey(`program-${index}`, permissions)), permissions });
  }
  const [known] = callers;
  const token = known?.headers.authorization?.slice('Bearer '.length) ?? '';
  const revoked = await newKey('revoked', ['admin']);
  await cli('key', 'revoke', 'revoked');
  const expired = await newKey('expired', ['admin']);
  await place.sql.query('UPDATE api_keys SET expires_at = UTC_TIMESTAMP() WHERE LOWER(HEX(id)) = ?', [
    expired.slice(6, 18),
  ]);
  const strangers: Record<string, string>[] = [
    {},
    bearer(revoked),
    bearer(expired),
    bearer(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`),
    bearer(newApiKey(instantAt(Date.now()), undefined).token),
    bearer('nonsense'),
    { authorization: `Basic ${Buffer.from(`tally:${token}`).toString('base64')}` },
    { authorization: token },
    { 'x-api-key': token },
  ];
  callers.push(...strangers.map((headers) => ({ headers, permissions: [] })));

  const mayCall = (access: Access, permissions: Permission[]) => {
    if (access === 'open' || access === 'login' || access === 'docs') return true;
    if (access === 'session') return false; // keys have none
    if (access === 'caller') return permissions.length > 0;
    return (
      permissions.includes('admin') || permissions.includes(access === 'metrics' ? 'reports:read' : access)
    );
  };
  const wrong: string[] = [];
  await inClosed(async () => {
    for (const [name, access] of Object.entries(ROUTES)) {
      const [method = '', path = ''] = name.split(' ');
      for (const { headers, permissions } of callers) {
        const response = await fetch(tally.app.url + path.replace(':id', '999999'), { method, headers });
        await response.arrayBuffer();
        const { status } = response;
        const isLetThrough = status !== 401 && status !== 403;
        if (isLetThrough !== mayCall(access, permissions))
          wrong.push(`${name} ${JSON.stringify(headers)} ${status}`);
      }
    }
  });
  expect(wrong).toEqual([]);
});

test('who is refused is told why, in a problem document', async () => {
  const reader = await newKey('reader', ['reports:read']);
  const revoked = await newKey('gone', ['admin']);
  await cli('key', 'revoke', 'gone');
  await inClosed(async () => {
    const none = await tally.get('/orders');
    expect([none.status, none.body.type, none.headers.get('www-authenticate')]).toEqual([
      401,
      'urn:tally:problem:unauthenticated',
      'Bearer realm="tally"',
    ]);
    expect((await tally.get('/orders', bearer(revoked))).body.detail).toBe(
      'This key is revoked: ask for another one.',
    );
    const forbidden = await tally.post('/orders', {}, bearer(reader));
    expect([forbidden.status, forbidden.body.detail]).toEqual([
      403,
      'reader lacks the permission orders:write.',
    ]);
    expect((await tally.get('/nowhere')).status).toBe(404);
    const { body } = await tally.get('/metrics', bearer(reader));
    expect(body).toContain('tally_access_refused_total{problem="unauthenticated"} 2');
  });
});

test('PUBLIC_ROUTES says whether documentation and metrics need a key', async () => {
  const statuses = async () =>
    Promise.all(
      ['/docs', '/openapi.json', '/metrics', '/health/live', '/'].map(
        async (path) => (await tally.get(path)).status,
      ),
    );
  await inClosed(async () => expect(await statuses()).toEqual([200, 200, 401, 200, 200]));
  await inClosed(async () => expect(await statuses()).toEqual([401, 401, 401, 200, 200]), {
    PUBLIC_ROUTES: 'none',
  });
  await inClosed(async () => expect(await statuses()).toEqual([200, 200, 200, 200, 200]), {
    PUBLIC_ROUTES: 'docs,metrics',
  });
});

describe('keys of a running service', () => {
  test('a new one counts at once; a revoked one ends on every instance within seconds, Redis or not', async () => {
    const { proxy, url } = await proxyRedis(place.config.REDIS_URL);
    const other = await startTally(place, { ACCESS: 'closed', REDIS_URL: url, REDIS_TIMEOUT_MS: '500' });
    try {
      await inClosed(async () => {
        const token = await newKey('till', ['reports:read']);
        const statuses = async () => [
          (await tally.get('/users', bearer(token))).status,
          (await other.get('/users', bearer(token))).status,
        ];
        expect(await statuses()).toEqual([200, 200]);
        await proxy.cut();
        await cli('key', 'revoke', 'till');
        await until(async () => (await statuses()).every((status) => status === 401), 10_000);
      });
    } finally {
      await other.app.close();
      await proxy.close();
    }
  });

  test('known keys are good while MySQL is away, and unknown ones are not said to be wrong', async () => {
    const { proxy, url } = await proxyDatabase(place.config.DATABASE_URL);
    const token = await newKey('till', ['reports:read']);
    try {
      await inClosed(
        async () => {
          await until(async () => (await tally.get('/orders', bearer(token))).status === 200);
          await proxy.cut();
          expect((await tally.get('/orders', bearer(token))).status).toBe(200);
          const unknown = newApiKey(instantAt(Date.now()), undefined).token;
          expect((await tally.get('/orders', bearer(unknown))).body.type).toBe(
            'urn:tally:problem:mysql-unreachable',
          );
        },
        { DATABASE_URL: url },
      );
    } finally {
      await proxy.close();
    }
  });

  test('a revocation is noticed also where a restore of MySQL has turned the version back', async () => {
    const versions = new Set<unknown>();
    for (const name of ['one', 'two']) {
      await newKey(name, ['admin']);
      const [[row]] = await place.sql.query<RowDataPacket[]>('SELECT version FROM access_version');
      versions.add(row?.version);
      await place.sql.query('UPDATE access_version SET version = 0');
    }
    expect(versions.size).toBe(2);
  });

  test('an Idempotency-Key belongs to the program, and survives the rotation of its key', async () => {
    const admin = await newKey('admin', ['admin']);
    const first = await newKey('till', ['orders:write']);
    await inClosed(async () => {
      const asAdmin: Tally = { ...tally, post: (path, body) => tally.post(path, body, bearer(admin)) };
      const { user, products } = await seedCatalogue(asAdmin, ['2.50']);
      const order = (token: string) =>
        tally.post(
          '/orders',
          { user_id: user, items: [{ product_id: products[0], quantity: 1 }] },
          { ...bearer(token), 'idempotency-key': 'once' },
        );
      const created = await order(first);
      expect(created.status).toBe(201);
      const second = tokenIn((await cli('key', 'rotate', 'till', '--grace', '1h')).output);
      const again = await order(second);
      expect([again.body.order_id, again.headers.get('idempotent-replayed')]).toEqual([
        created.body.order_id,
        'true',
      ]);
      // The old one goes on for its grace.
      expect((await order(first)).headers.get('idempotent-replayed')).toBe('true');
      // The same Idempotency-Key of another program is another one.
      const other = await order(admin);
      expect(other.body.order_id).not.toBe(created.body.order_id);
    });
  });

  test('the list shows when a key was used last, and no secret', async () => {
    const token = await newKey('till', ['reports:read']);
    expect((await cli('key', 'list')).output).toContain('last used never');
    await inClosed(async () => {
      expect((await tally.get('/orders', bearer(token))).status).not.toBe(401);
    });
    const { output } = await cli('key', 'list');
    expect(output).toMatch(/^till .*tally_[0-9a-f]{12}_….*good.*reports:read.*never ends.*last used 20/);
    expect(output).not.toContain(token);
  });

  test.each([
    [['create', 'x y', '--scopes', 'admin'], 'The name of a program has 1 to 64 letters'],
    [['create', 'x', '--scopes', 'orders:read'], 'There is no scope orders:read: choose from orders:write'],
    [['create', 'x', '--scopes', 'admin', '--expires', 'soon'], 'soon is no time like 24h or 90d.'],
    [['rotate', 'nobody'], 'No program nobody has ever had a key'],
    [['revoke', 'nobody'], 'No program nobody has ever had a key'],
  ])('tally key %j says what is wrong with it', async (args, message) => {
    await cli('migrate');
    const { exitCode, output } = await cli('key', ...args);
    expect([exitCode, output]).toEqual([1, expect.stringContaining(message)]);
  });

  test('the rotation of a key that ends does not silently make one that never does', async () => {
    await cli('key', 'create', 'till', '--scopes', 'admin', '--expires', '1d');
    const { exitCode, output } = await cli('key', 'rotate', 'till');
    expect([exitCode, output]).toEqual([
      1,
      expect.stringContaining('say when the new one does, by --expires 90d'),
    ]);
    expect((await cli('key', 'rotate', 'till', '--expires', 'never')).exitCode).toBe(0);
    expect((await cli('key', 'list')).output).toContain('never ends');
  });

  test('a program whose keys are all revoked gets a first key again, with other scopes', async () => {
    await newKey('till', ['admin']);
    expect((await cli('key', 'create', 'till', '--scopes', 'admin')).output).toContain(
      '`tally key rotate till`',
    );
    await cli('key', 'revoke', 'till');
    await newKey('till', ['reports:read']);
    const [rows] = await place.sql.query<RowDataPacket[]>('SELECT name, grants FROM principals');
    expect(rows).toEqual([{ name: 'till', grants: 'reports:read' }]);
  });
});

describe('without any key', () => {
  /** With headers that fetch does not let one set. */
  const statusOf = (headers: Record<string, string>, path = '/orders', method = 'GET') =>
    new Promise<number | undefined>((resolve, reject) => {
      request(tally.app.url + path, { headers, method }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });

  test('programs on this machine are served, and what others may have sent is not', async () => {
    tally = await startTally(place);
    try {
      await until(async () => (await tally.get('/orders')).status === 200);
      for (const host of ['localhost', 'localhost:3000', '127.0.0.1:3000', '[::1]:3000', '127.9.9.9']) {
        expect([host, await statusOf({ host })]).toEqual([host, 200]);
      }
      for (const host of [
        'tally.example',
        'localhost.example:3000',
        '127.0.0.1.example',
        '192.168.1.7:3000',
        '0.0.0.0',
      ]) {
        expect([host, await statusOf({ host })]).toEqual([host, 403]);
      }
      expect(await statusOf({ 'x-forwarded-for': '203.0.113.9' })).toBe(403);
      expect(await statusOf({ forwarded: 'for=203.0.113.9' })).toBe(403);
      expect(await statusOf({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).toBe(403);
      expect(await statusOf({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, '/docs')).toBe(
        200,
      );
      const erase = (headers: Record<string, string>) => statusOf(headers, '/users/1/erasure', 'POST');
      const evil = { origin: 'https://evil.example' };
      expect(await erase({ ...evil, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(
        403,
      );
      // A browser that does not know Sec-Fetch-Site.
      expect(await erase(evil)).toBe(403);
      expect(await erase({ origin: 'null' })).toBe(403);
      expect(await erase({ origin: tally.app.url })).toBe(404);
      expect(await erase({})).toBe(404);
      expect(await statusOf({ host: 'tally.example' }, '/health/live')).toBe(200);
      const { body } = await tally.get('/orders', { 'x-real-ip': '203.0.113.9' });
      expect([body.type, body.detail]).toEqual([
        'urn:tally:problem:not-local',
        expect.stringContaining('it was forwarded (x-real-ip). `tally key create` makes the first key.'),
      ]);
    } finally {
      await tally.app.close();
    }
  });

  test('the first key closes the doors, and its revocation does not open them again', async () => {
    tally = await startTally(place);
    try {
      await until(async () => (await tally.get('/orders')).status === 200);
      await newKey('first', ['admin']);
      await until(async () => (await tally.get('/orders')).status === 401);
      await cli('key', 'revoke', 'first');
    } finally {
      await tally.app.close();
    }
    tally = await startTally(place);
    expect((await tally.get('/orders')).status).toBe(401);
    await tally.app.close();
  });

  test('the service does not start where others could reach it, and says how to make the first key', async () => {
    const config = loadConfig({ ...place.env, HOST: '0.0.0.0' });
    const refusal = await startApp(config).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ConfigError);
    expect(String(refusal)).toContain('`tally key create NAME --scopes admin`');
    await inClosed(async () => expect((await tally.get('/orders')).status).toBe(401), { HOST: '0.0.0.0' });
    await newKey('first', ['admin']);
    const app = await startApp(config);
    await app.close();
  });

  test('a service that others can reach stays closed when its keys are lost in MySQL', async () => {
    await newKey('first', ['admin']);
    tally = await startTally(place, { HOST: '0.0.0.0' });
    try {
      await place.sql.query('DELETE FROM api_keys');
      await place.sql.query('DELETE FROM principals');
      await place.sql.query('UPDATE access_version SET version = version + 1');
      // By now it has looked: an unknown key makes it do so.
      const unknown = newApiKey(instantAt(Date.now()), undefined).token;
      expect((await tally.get('/orders', bearer(unknown))).status).toBe(401);
      expect((await tally.get('/orders')).status).toBe(401);
    } finally {
      await tally.app.close();
    }
  });
});
