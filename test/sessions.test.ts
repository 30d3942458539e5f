import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RowDataPacket } from 'mysql2/promise';
import { pino } from 'pino';
import { attemptSucceeded, beginAttempt } from '../src/access/login-attempts';
import { hashPassword, isPassword } from '../src/access/passwords';
import { loadConfig } from '../src/config';
import { connectRedis, redisReady, type Redis as Client } from '../src/redis/client';
import { migrate } from '../src/mysql/migrate';
import { openDatabases, type Databases } from '../src/mysql/pool';
import { MemoryStore } from '../src/sessions/memory-store';
import { RedisStore } from '../src/sessions/redis-store';
import type { SessionStore } from '../src/sessions/store';
import { proxyDatabase, proxyRedis } from '../torture/proxy';
import { startableRedis } from '../torture/servers';
import { runCli } from './support/cli';
import { startServiceProcess } from './support/process';
import { startRedisNode, type RedisNode } from './support/redis-node';
import { newPlace, startTally, until, type Answer, type Place, type Tally } from './support/tally';

const SECRET = 'a-secret-of-the-test-that-is-long-enough';
/** As a browser sends it from a page of the service itself. */
const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };

let place: Place;
const running: Tally[] = [];

beforeEach(async () => {
  place = await newPlace();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ app }) => app.close()));
  await place.close();
});

const shared = () => ({ SESSION_REDIS_URL: place.config.REDIS_URL, SESSION_SECRETS: SECRET });
const cli = (...args: string[]) => runCli(args, place.env);

async function start(settings: Record<string, string> = shared()): Promise<Tally> {
  const tally = await startTally(place, { ACCESS: 'closed', ...settings });
  running.push(tally);
  return tally;
}

async function stop(tally: Tally): Promise<void> {
  running.splice(running.indexOf(tally), 1);
  await tally.app.close();
}

/** Adds a person. @returns the password. */
async function newPerson(name: string, role: string): Promise<string> {
  const { exitCode, output } = await cli('person', 'add', name, '--role', role);
  expect(exitCode).toBe(0);
  return passwordIn(output);
}

function passwordIn(output: string): string {
  const [, password] = /^([\w-]{20})$/m.exec(output) ?? [];
  if (password === undefined) throw new Error(`no password in: ${output}`);
  return password;
}

/** A browser's cookies. */
class Browser {
  private readonly cookies = new Map<string, string>();

  get headers(): Record<string, string> {
    return { ...OWN_PAGE, cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  }

  take({ headers }: Pick<Answer, 'headers'>): void {
    for (const cookie of headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }

  cookie(name: string): string | undefined {
    return this.cookies.get(name);
  }

  async logIn(tally: Tally, name: string, password: string): Promise<Answer> {
    const answer = await tally.post('/session', { name, password }, this.headers);
    this.take(answer);
    return answer;
  }
}

async function loggedIn(tally: Tally, name: string, password: string): Promise<Browser> {
  const browser = new Browser();
  expect((await browser.logIn(tally, name, password)).status).toBe(201);
  return browser;
}

const whoIs = async (tally: Tally, { headers }: Browser) => (await tally.get('/session', headers)).status;

test('a password is known by its hash alone, and hashes of one password differ', async () => {
  const hash = await hashPassword('correct horse');
  expect(hash).toMatch(/^scrypt\$131072\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
  expect(await isPassword('correct horse', hash, 'unknown')).toBe(true);
  expect(await isPassword('wrong horse', hash, 'unknown')).toBe(false);
  expect(await isPassword('', undefined, 'unknown')).toBe(false);
  expect(await hashPassword('correct horse')).not.toBe(hash);
});

test('who logs in is known by a cookie that scripts cannot read, and may do what his role allows', async () => {
  const password = await newPerson('ada', 'operator');
  const tally = await start();
  const browser = new Browser();
  const login = await browser.logIn(tally, 'ada', password);
  const ada = { kind: 'person', name: 'ada', role: 'operator' };
  expect([login.status, login.body]).toEqual([201, expect.objectContaining(ada)]);
  const [cookie = ''] = login.headers.getSetCookie().filter((text) => text.startsWith('tally_session='));
  expect(cookie).toMatch(/; HttpOnly/);
  expect(cookie).toMatch(/; SameSite=Lax/);
  expect((await tally.get('/session', browser.headers)).body).toEqual(expect.objectContaining(ada));
  expect(
    (await tally.post('/products', { name: 'Tea', sku: 'T', price: '1.00' }, browser.headers)).status,
  ).toBe(201);
  expect((await tally.get('/metrics', browser.headers)).status).toBe(200);

  const viewer = await loggedIn(tally, 'bob', await newPerson('bob', 'viewer'));
  expect((await tally.get('/products', viewer.headers)).status).toBe(200);
  expect((await tally.delete('/products/1', viewer.headers)).body.type).toBe('urn:tally:problem:forbidden');
});

test('a wrong password, an unknown name and a removed person are told the same', async () => {
  const password = await newPerson('ada', 'admin');
  await newPerson('gone', 'admin');
  await cli('person', 'remove', 'gone');
  const tally = await start();
  const answers = await Promise.all(
    [
      { name: 'ada', password: `${password}x` },
      { name: 'nobody', password },
      { name: 'gone', password },
    ].map((body) => tally.post('/session', body)),
  );
  for (const { status, body, headers } of answers) {
    expect([status, body.type, headers.getSetCookie()]).toEqual([401, 'urn:tally:problem:wrong-login', []]);
  }
  expect(new Set(answers.map(({ body }) => body.detail)).size).toBe(1);
});

describe('a person stays logged in', () => {
  test('while all instances are replaced one by one', async () => {
    const password = await newPerson('ada', 'viewer');
    let instances = [await start(), await start(), await start()];
    const [first] = instances;
    const browser = await loggedIn(first as Tally, 'ada', password);
    for (let replaced = 0; replaced < 3; replaced++) {
      const [oldest, ...others] = instances as [Tally, ...Tally[]];
      await stop(oldest);
      instances = [...others, await start()];
      for (const instance of instances) expect(await whoIs(instance, browser)).toBe(200);
    }
  });

  test('when the instance that he logged in at is killed', async () => {
    const password = await newPerson('ada', 'viewer');
    const first = await startServiceProcess({ ...place.env, ACCESS: 'closed', ...shared() });
    const other = await start();
    const browser = new Browser();
    const login = await fetch(`${first.match}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'ada', password }),
    });
    expect(login.status).toBe(201);
    browser.take(login);
    await first.kill();
    expect(await whoIs(other, browser)).toBe(200);
  });

  test('over a failover of Redis, as far as the replica had his session', async () => {
    const nodes: RedisNode[] = [];
    try {
      const primary = await startRedisNode(() => ["save ''", 'appendonly no']);
      nodes.push(primary);
      const replica = await startRedisNode(() => ["save ''", `replicaof 127.0.0.1 ${primary.port}`]);
      nodes.push(replica);
      const isInSync = async () =>
        (await replica.client.info('replication')).includes('master_link_status:up');
      await until(isInSync);
      const sentinel = await startRedisNode(
        () => [
          `sentinel monitor shop 127.0.0.1 ${primary.port} 1`,
          'sentinel down-after-milliseconds shop 1000',
          'sentinel failover-timeout shop 3000',
        ],
        true,
      );
      nodes.push(sentinel);
      await until(
        async () => ((await sentinel.client.call('SENTINEL', 'replicas', 'shop')) as unknown[]).length === 1,
      );
      const tally = await start({
        ...shared(),
        REDIS_SENTINELS: `127.0.0.1:${sentinel.port}`,
        REDIS_SENTINEL_NAME: 'shop',
        REDIS_TIMEOUT_MS: '500',
      });
      const password = await newPerson('ada', 'viewer');
      const browser = await until(() => loggedIn(tally, 'ada', password));
      await until(async () => {
        const [key = ''] = await sessionKeys(replica.client);
        return (await replica.client.get(key))?.includes('personId');
      });
      primary.signal('SIGKILL');
      expect(await until(async () => (await whoIs(tally, browser)) === 503)).toBe(true);
      expect(await until(async () => (await whoIs(tally, browser)) === 200)).toBe(true);
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  });

  test('over a restart of Redis with its append-only file, and again after Redis was away', async () => {
    const runDir = await mkdtemp(join(tmpdir(), 'tally-'));
    const server = startableRedis(runDir);
    const url = await server.start();
    try {
      const tally = await start({ ...shared(), SESSION_REDIS_URL: url });
      const password = await newPerson('ada', 'viewer');
      const browser = await loggedIn(tally, 'ada', password);
      // With `everysec`, Redis answers before a busy disk has taken it.
      const client = new Redis(url);
      await until(async () => (await client.info('persistence')).includes('aof_buffer_length:0'));
      client.disconnect();
      await server.kill();
      await until(async () => (await whoIs(tally, browser)) === 503);
      // Keys and open routes go on.
      expect((await tally.get('/health/live')).status).toBe(200);
      const { output } = await cli('key', 'create', 'till', '--scopes', 'reports:read');
      const [token = ''] = /tally_[\w-]+/.exec(output) ?? [];
      expect((await tally.get('/products', { authorization: `Bearer ${token}` })).status).toBe(200);
      expect((await tally.post('/session', { name: 'ada', password })).body.type).toBe(
        'urn:tally:problem:sessions-unreachable',
      );
      await server.start();
      await until(async () => (await whoIs(tally, browser)) === 200);
    } finally {
      await server.stop();
      await rm(runDir, { recursive: true });
    }
  });

  test('and where the Redis of sessions alone is away, the log says what that means', async () => {
    const { proxy, url } = await proxyRedis(place.config.REDIS_URL);
    const lines: string[] = [];
    const logStream = { write: (line: string) => void lines.push(line) };
    const settings = { ...shared(), ACCESS: 'closed', SESSION_REDIS_URL: url, LOG_LEVEL: 'warn' };
    const tally = await startTally(place, settings, logStream);
    try {
      await proxy.cut();
      await until(() => lines.join('').includes('people are answered 503, keys go on'));
      expect(lines.join('')).not.toContain('reads answer 503');
    } finally {
      await tally.app.close();
      await proxy.close();
    }
  });

  test('in the store of the process none of this holds, and the log has said so', async () => {
    const lines: string[] = [];
    const logStream = { write: (line: string) => void lines.push(line) };
    const password = await newPerson('ada', 'viewer');
    const settings = { ACCESS: 'closed', LOG_LEVEL: 'info' };
    const one = await startTally(place, settings, logStream);
    const two = await startTally(place, settings);
    const browser = await loggedIn(one, 'ada', password);
    expect([await whoIs(one, browser), await whoIs(two, browser)]).toEqual([200, 401]);
    await one.app.close();
    const again = await startTally(place, settings);
    expect(await whoIs(again, browser)).toBe(401);
    await Promise.all([two.app.close(), again.app.close()]);
    expect(lines.join('')).toContain('sessions are kept in this process: they end when it ends');
  });

  test('while the secrets are rotated', async () => {
    const password = await newPerson('ada', 'viewer');
    const one = await start();
    const browser = await loggedIn(one, 'ada', password);
    const two = await start({
      ...shared(),
      SESSION_SECRETS: `another-secret-that-signs-from-now-on,${SECRET}`,
    });
    expect(await whoIs(two, browser)).toBe(200);
    const three = await start({ ...shared(), SESSION_SECRETS: 'another-secret-that-signs-from-now-on' });
    expect(await whoIs(three, browser)).toBe(401);
  });
});

describe('a session that was ended stays ended', () => {
  test('on every instance, also where a slow request was under way', async () => {
    const { proxy, url } = await proxyRedis(place.config.REDIS_URL);
    try {
      const password = await newPerson('ada', 'viewer');
      const one = await start();
      const slow = await start({ ...shared(), SESSION_REDIS_URL: url, REDIS_TIMEOUT_MS: '10000' });
      const browser = await loggedIn(one, 'ada', password);
      // A slow request notes its use of the session long after the logout: it was read before.
      await makeOld(place.redis);
      const { headers } = browser;
      let isNoting = false;
      proxy.holdRequest((packet) => {
        isNoting ||= packet.includes('usedAt');
        return false;
      });
      proxy.delay(1000);
      expect((await slow.get('/session', headers)).status).toBe(200);
      await until(() => isNoting);
      const logout = await one.delete('/session', headers);
      expect([logout.status, logout.body]).toEqual([200, { ended: 1 }]);
      // Behind the note, on the same connection.
      expect((await slow.get('/session', headers)).status).toBe(401);
      proxy.delay(0);
      expect(await sessionKeys(place.redis)).toEqual([]);
      expect((await one.get('/session', headers)).status).toBe(401);
    } finally {
      await proxy.close();
    }
  });

  test('when an older copy of the store comes back', async () => {
    const tally = await start();
    const browser = await loggedIn(tally, 'ada', await newPerson('ada', 'viewer'));
    const keys = await sessionKeys(place.redis);
    const before = await Promise.all(
      keys.map(async (key) => [key, await place.redis.dumpBuffer(key)] as const),
    );
    const { headers } = browser;
    expect((await tally.delete('/session', headers)).status).toBe(200);
    for (const [key, value] of before)
      if (value !== null) await place.redis.restore(key, 60_000, value, 'REPLACE');
    const other = await start();
    expect([await whoIs(tally, browser), await whoIs(other, browser)]).toEqual([401, 401]);
    expect((await other.get('/session', headers)).status).toBe(401);
  });

  test('by the person himself, one or all of them, and by whoever gives him another password', async () => {
    const tally = await start();
    const other = await start();
    const password = await newPerson('ada', 'viewer');
    const desk = await loggedIn(tally, 'ada', password);
    const phone = await loggedIn(other, 'ada', password);
    const { sessions } = (await tally.get('/sessions', desk.headers)).body;
    expect(sessions).toEqual([
      expect.objectContaining({ current: expect.any(Boolean), address: expect.any(String), browser: 'node' }),
      expect.objectContaining({ address: expect.any(String) }),
    ]);
    const [theOther] = sessions.filter(({ current }: { current: boolean }) => !current);
    expect((await tally.delete(`/sessions/${theOther.id}`, desk.headers)).body).toEqual({ ended: 1 });
    await until(async () => (await whoIs(other, phone)) === 401);
    expect(await whoIs(tally, desk)).toBe(200);

    const laptop = await loggedIn(other, 'ada', password);
    expect((await other.delete('/session?everywhere=true', laptop.headers)).body).toEqual({ ended: 2 });
    await until(async () => (await whoIs(tally, desk)) === 401);

    const tablet = await loggedIn(tally, 'ada', password);
    expect(passwordIn((await cli('person', 'reset', 'ada')).output)).not.toBe(password);
    await until(async () => (await whoIs(tally, tablet)) === 401);
    expect((await tally.delete('/sessions/0123456789abcdef', desk.headers)).status).toBe(401);
  });

  test('where the store holds no session any more, because somebody has changed it by hand', async () => {
    const tally = await start();
    const password = await newPerson('ada', 'viewer');
    const damages = [
      (key: string) => place.redis.set(key, 'no JSON', 'KEEPTTL'),
      (key: string) => place.redis.set(key, '{"content":7}', 'KEEPTTL'),
      (key: string) => place.redis.multi().del(key).rpush(key, 'a list').exec(),
    ];
    for (const damage of damages) {
      const browser = await loggedIn(tally, 'ada', password);
      for (const key of await sessionKeys(place.redis)) await damage(key);
      expect(await whoIs(tally, browser)).toBe(401);
    }
    const good = await loggedIn(tally, 'ada', password);
    expect((await tally.get('/sessions', good.headers)).body.sessions).toHaveLength(1);
  });

  test('by a new one, where a person has fifty and has not used it for the longest time', async () => {
    const tally = await start();
    const password = await newPerson('ada', 'viewer');
    const first = await loggedIn(tally, 'ada', password);
    const [key = ''] = await sessionKeys(place.redis);
    const session = JSON.parse((await place.redis.get(key)) ?? '{}');
    const root = key.slice(0, key.indexOf('}:') + 2);
    for (let other = 1; other < 50; other++) {
      const id = other.toString(16).padStart(64, '0');
      const content = { ...session.content, usedAt: session.content.usedAt + other };
      await place.redis.set(root + id, JSON.stringify({ ...session, content }));
      await place.redis.sadd(`${root}of:${session.content.personId}`, id);
    }
    const latest = await loggedIn(tally, 'ada', password);
    expect([await whoIs(tally, first), await whoIs(tally, latest)]).toEqual([401, 200]);
    expect((await tally.get('/sessions', latest.headers)).body.sessions).toHaveLength(50);
  });

  test('when it has not been used for its time, and at its end in any case', async () => {
    const password = await newPerson('ada', 'viewer');
    const tally = await start();
    const browser = await loggedIn(tally, 'ada', password);
    const impatient = await start({ ...shared(), SESSION_IDLE_S: '60' });
    await makeOld(place.redis, { usedAt: 61_000 });
    expect([await whoIs(impatient, browser), await whoIs(tally, browser)]).toEqual([401, 200]);
    await makeOld(place.redis, { beganAt: 7 * 86_400_000 });
    expect(await whoIs(tally, browser)).toBe(401);
  });

  test('and one that is used does not end, however short its time is', async () => {
    const password = await newPerson('ada', 'viewer');
    const tally = await start({ ...shared(), SESSION_IDLE_S: '60' });
    const browser = await loggedIn(tally, 'ada', password);
    for (let use = 0; use < 3; use++) {
      await makeOld(place.redis, { usedAt: 40_000 });
      expect(await whoIs(tally, browser)).toBe(200);
    }
  });
});

test('nobody sees or ends a session of somebody else', async () => {
  const tally = await start();
  const ada = await loggedIn(tally, 'ada', await newPerson('ada', 'viewer'));
  const bob = await loggedIn(tally, 'bob', await newPerson('bob', 'admin'));
  const own = async ({ headers }: Browser) => (await tally.get('/sessions', headers)).body.sessions;
  const [session] = await own(ada);
  expect(await own(bob)).toHaveLength(1);
  expect((await tally.delete(`/sessions/${session.id}`, bob.headers)).status).toBe(404);
  expect(await whoIs(tally, ada)).toBe(200);
});

test('while MySQL is away, logins and logouts are told so, and can be repeated', async () => {
  const { proxy, url } = await proxyDatabase(place.config.DATABASE_URL);
  try {
    const password = await newPerson('ada', 'viewer');
    const tally = await start({ ...shared(), DATABASE_URL: url });
    const { headers } = await loggedIn(tally, 'ada', password);
    await proxy.cut();
    const away = [
      await tally.post('/session', { name: 'ada', password }),
      await tally.delete('/session', headers),
      await tally.delete('/session?everywhere=true', headers),
    ];
    for (const { status, body } of away)
      expect([status, body.type]).toEqual([503, 'urn:tally:problem:mysql-unreachable']);
    await proxy.restore();
    await until(async () => (await tally.delete('/session', headers)).status === 200);
  } finally {
    await proxy.close();
  }
});

describe('counting logins', () => {
  let databases: Databases;
  const ada = { name: 'ada', address: '203.0.113.1', knownBrowser: undefined };

  beforeEach(async () => {
    await migrate(place.config.DATABASE_URL, 5000);
    databases = openDatabases(place.config);
  });

  afterEach(async () => {
    await databases.close();
  });

  test('those that succeed do not lock the address that many people share', async () => {
    for (let login = 0; login < 40; login++) {
      await beginAttempt(databases.commands, ada);
      await attemptSucceeded(databases.commands, ada);
    }
    const [rows] = await place.sql.query('SELECT failures FROM login_failures');
    expect(rows).toEqual([{ failures: 0 }]);
  });

  test('one that succeeds forgives one that failed from the same address', async () => {
    for (let attempt = 0; attempt < 3; attempt++) await beginAttempt(databases.commands, ada);
    await beginAttempt(databases.commands, ada);
    await attemptSucceeded(databases.commands, ada);
    const [rows] = await place.sql.query('SELECT failures FROM login_failures');
    expect(rows).toEqual([{ failures: 2 }]); // of the address; the name begins anew
  });

  test('the very first ones at once are counted, every one', async () => {
    const attempts = Array.from({ length: 30 }, () => beginAttempt(databases.commands, ada));
    const begun = (await Promise.allSettled(attempts)).filter(({ status }) => status === 'fulfilled');
    const [rows] = await place.sql.query('SELECT failures FROM login_failures');
    expect(rows).toEqual([{ failures: begun.length }, { failures: begun.length }]);
  });

  test('of many people at once none is refused, and what is old is forgotten', async () => {
    await place.sql.query(
      `INSERT INTO login_failures (subject, failures, failed_at, locked_until)
       VALUES ('name:old', 9, UTC_TIMESTAMP() - INTERVAL 25 HOUR, UTC_TIMESTAMP())`,
    );
    for (let round = 0; round < 20; round++) {
      const people = Array.from({ length: 16 }, async (_, index) => {
        const address = `203.0.113.${index}`;
        const person = { name: `name ${round} ${index}`, address, knownBrowser: undefined };
        await beginAttempt(databases.commands, person);
        await attemptSucceeded(databases.commands, person);
      });
      await Promise.all(people);
    }
    const [rows] = await place.sql.query("SELECT * FROM login_failures WHERE subject = 'name:old'");
    expect(rows).toEqual([]);
  });

  test('an attempt of a moment later, by the clock of another instance, is no lock', async () => {
    await beginAttempt(databases.commands, ada);
    await place.sql.query(
      'UPDATE login_failures SET failed_at = failed_at + INTERVAL 5 SECOND, locked_until = failed_at',
    );
    await expect(beginAttempt(databases.commands, ada)).resolves.toBeUndefined();
  });

  test('the addresses of one IPv6 network are one', async () => {
    const tally = await start({ TRUST_PROXY: '127.0.0.0/8' });
    for (const address of ['2001:db8::1', '2001:db8::2'])
      await tally.post('/session', { name: 'ada', password: 'x' }, { 'x-forwarded-for': address });
    const [rows] = await place.sql.query(
      "SELECT failures FROM login_failures WHERE subject LIKE 'address:%'",
    );
    expect(rows).toEqual([{ failures: 2 }]);
  });
});

describe('guessing', () => {
  test('is slowed down for a name, on every instance, and whoever knows the browser is not locked out', async () => {
    const password = await newPerson('ada', 'viewer');
    const one = await start();
    const two = await start();
    const home = await loggedIn(one, 'ada', password);
    const guess = async (tally: Tally) => tally.post('/session', { name: 'ada', password: 'a guess' });
    // On both in turn, until the wait is longer than the rest of the test takes.
    let turn = 0;
    const refused = await until(async () => {
      const answer = await guess(turn++ % 2 === 0 ? one : two);
      return Number(answer.headers.get('retry-after')) >= 4 ? answer : undefined;
    });
    const stranger = await two.post('/session', { name: 'ada', password });
    for (const { status, body, headers } of [refused, stranger]) {
      expect([status, body.type]).toEqual([429, 'urn:tally:problem:too-many-logins']);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await home.logIn(two, 'ada', password)).status).toBe(201);
    expect((await cli('person', 'unlock', 'ada')).exitCode).toBe(0);
    expect((await two.post('/session', { name: 'ada', password })).status).toBe(201);
  });

  test('at many names at once keeps out nobody whose browser is known, and what was not looked at is not counted', async () => {
    const password = await newPerson('ada', 'viewer');
    const tally = await start({ TRUST_PROXY: '127.0.0.0/8', RATE_LIMIT_ANONYMOUS: 'off' });
    const home = await loggedIn(tally, 'ada', password);
    const logIn = (address: number, name: string, guess: string) =>
      tally.post('/session', { name, password: guess }, { 'x-forwarded-for': `203.0.113.${address}` });
    const flood = Array.from({ length: 60 }, async (_, index) => logIn(index, `name ${index}`, 'a guess'));
    await until(async () => (await logIn(99, 'ada', password)).status === 503);
    expect((await home.logIn(tally, 'ada', password)).status).toBe(201);
    const answers = await Promise.all(flood);
    const [[row]] = await place.sql.query<RowDataPacket[]>(
      "SELECT COUNT(*) AS counted FROM login_failures WHERE subject LIKE 'name:%' AND failures > 0",
    );
    expect(row?.counted).toBe(answers.filter(({ status }) => status === 401).length);
  });

  test('of many passwords at once is no way around it', async () => {
    await newPerson('ada', 'viewer');
    const tally = await start();
    const answers = await Promise.all(
      Array.from({ length: 15 }, (_, index) =>
        tally.post('/session', { name: 'ada', password: `guess ${index}` }),
      ),
    );
    // A few, and one more each time that a lock has ended.
    expect(answers.filter(({ status }) => status === 401).length).toBeLessThan(10);
  });
});

test('a change with a session must come from a page of Tally', async () => {
  const tally = await start();
  const { headers } = await loggedIn(tally, 'ada', await newPerson('ada', 'operator'));
  const { cookie = '' } = headers;
  const own = tally.app.url;
  const change = async (from: Record<string, string>) =>
    (
      await tally.post(
        '/products',
        { name: 'Tea', sku: `T${Math.random()}`, price: '1.00' },
        { cookie, ...from },
      )
    ).status;
  expect(await change({ 'sec-fetch-site': 'same-origin' })).toBe(201);
  expect(await change({ origin: own })).toBe(201);
  expect(await change({ 'sec-fetch-site': 'cross-site', origin: own })).toBe(403);
  expect(await change({ 'sec-fetch-site': 'same-site' })).toBe(403);
  expect(await change({ origin: 'https://evil.example' })).toBe(403);
  expect(await change({ origin: 'null' })).toBe(403);
  expect(await change({})).toBe(403);
  expect((await tally.get('/products', { cookie })).status).toBe(200);
  const login = await tally.post(
    '/session',
    { name: 'ada', password: 'x' },
    { origin: 'https://evil.example' },
  );
  expect(login.body.type).toBe('urn:tally:problem:cross-site');
});

test('a login takes a new session id: one that was planted before is worth nothing', async () => {
  const tally = await start();
  const password = await newPerson('ada', 'viewer');
  const victim = await loggedIn(tally, 'ada', password);
  const planted = victim.cookie('tally_session');
  await victim.logIn(tally, 'ada', password);
  expect(victim.cookie('tally_session')).not.toBe(planted);
  expect(await whoIs(tally, victim)).toBe(200);
  expect((await tally.get('/session', { cookie: `tally_session=${planted}` })).status).toBe(401);
  expect((await tally.get('/session', { cookie: 'tally_session=forged.signature' })).status).toBe(401);
});

test('the audit says who was let in and who was not', async () => {
  const password = await newPerson('ada', 'admin');
  const tally = await start();
  const browser = await loggedIn(tally, 'ada', password);
  await tally.post('/session', { name: 'ada', password: 'wrong' });
  await cli('person', 'reset', 'ada', '--role', 'viewer');
  await until(async () => (await whoIs(tally, browser)) === 401);
  const { output } = await cli('key', 'create', 'auditor', '--scopes', 'admin');
  const [token = ''] = /tally_[\w-]+/.exec(output) ?? [];
  const ada = { kind: 'person', id: expect.any(String), owner: 'ada' };
  const entries = await until(async () => {
    const { body } = await tally.get('/audit', { authorization: `Bearer ${token}` });
    return body.entries.length >= 5 ? body.entries : undefined;
  });
  expect(entries).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ what: 'person-added', who: null, about: ada }),
      expect.objectContaining({
        what: 'logged-in',
        who: expect.objectContaining({ name: 'ada' }),
        about: null,
      }),
      expect.objectContaining({ what: 'login-refused', who: null, reason: 'wrong-login' }),
      expect.objectContaining({ what: 'person-reset', who: null, about: ada }),
      expect.objectContaining({ what: 'key-created' }),
    ]),
  );
});

test('who asks without a cookie leaves nothing in the store', async () => {
  const tally = await start();
  await newPerson('ada', 'viewer');
  await Promise.all(['/session', '/sessions', '/products', '/'].map((path) => tally.get(path)));
  await tally.post('/session', { name: 'ada', password: 'wrong' });
  expect(await sessionKeys(place.redis)).toEqual([]);
});

test('sessions in Redis need secrets, so that every instance knows the cookies of the others', () => {
  expect(() => loadConfig({ ...place.env, SESSION_REDIS_URL: place.config.REDIS_URL })).toThrow(
    'SESSION_SECRETS is not set: it goes with SESSION_REDIS_URL',
  );
});

describe.each(['memory', 'Redis'])('the store in %s', (kind) => {
  let redis: Client;
  let store: SessionStore;

  beforeEach(async () => {
    redis = connectRedis(place.config, 'test', pino({ level: 'silent' }));
    await redisReady(redis, 5000);
    store = kind === 'memory' ? new MemoryStore() : new RedisStore(redis, () => place.prefix);
  });

  afterEach(() => {
    store.close();
    redis.disconnect();
  });

  test('keeps a session under its id and its owner, until it ends', async () => {
    await store.put('one', 'empty', 60_000);
    await store.update('one', 'of ada', 60_000, 'ada');
    expect(await store.read('one')).toBe('of ada');
    expect(await store.ofOwner('ada')).toEqual(new Map([['one', 'of ada']]));
    await store.end('one');
    expect([await store.read('one'), await store.ofOwner('ada')]).toEqual([undefined, new Map()]);
  });

  test('does not bring back a session by an update', async () => {
    await store.put('one', 'empty', 60_000);
    await store.end('one');
    await store.update('one', 'again', 60_000, 'ada');
    expect([await store.read('one'), await store.ofOwner('ada')]).toEqual([undefined, new Map()]);
  });

  test('forgets a session when its time is over', async () => {
    await store.put('one', 'empty', 60_000);
    await store.update('one', 'short', 30, 'ada');
    await until(async () => (await store.read('one')) === undefined);
    expect(await store.ofOwner('ada')).toEqual(new Map());
  });
});

test('the store in memory is bounded', async () => {
  const store = new MemoryStore();
  await store.put('of ada', 'x', 60_000);
  await store.update('of ada', 'x', 60_000, 'ada');
  // Logins that anybody can begin end nobody's session.
  for (let index = 0; index <= 1_000; index++) await store.put(`begun ${index}`, 'x', 60_000);
  expect([await store.read('begun 0'), await store.read('begun 1000')]).toEqual([undefined, 'x']);
  expect(await store.read('of ada')).toBe('x');
});

async function sessionKeys(redis: Place['redis']): Promise<string[]> {
  return redis.keys(`{${place.prefix}*-sessions}:[0-9a-f]*`);
}

/** Lets sessions have begun, or have been used last, so many milliseconds earlier. */
async function makeOld(
  redis: Place['redis'],
  by: { beganAt?: number; usedAt?: number } = { usedAt: 61_000 },
): Promise<void> {
  for (const key of await sessionKeys(redis)) {
    const session = JSON.parse((await redis.get(key)) ?? '{}');
    session.content.beganAt -= by.beganAt ?? 0;
    session.content.usedAt -= by.usedAt ?? 0;
    await redis.set(key, JSON.stringify(session), 'KEEPTTL');
  }
}
