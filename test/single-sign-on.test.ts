import { freePort, proxyDatabase } from '../torture/proxy';
import { loadConfig } from '../src/config';
import { startProcess, startServiceProcess, type TestProcess } from './support/process';
import { newPlace, startTally, until, type Place, type Tally } from './support/tally';

let place: Place;
let port: number;
let provider: TestProcess;
let settings: Record<string, string>;
const running: { close(): Promise<void> }[] = [];

/** Where browsers reach Tally; the gateway in front of the instances, as it were. */
const PUBLIC_URL = 'http://tally.example';

const startProvider = (): Promise<TestProcess> =>
  startProcess(
    ['test/support/oidc-provider.mjs', String(port), `${PUBLIC_URL}/session/oidc/callback`],
    { NODE_ENV: 'test' },
    /listening/,
  );

beforeAll(async () => {
  port = await freePort();
  provider = await startProvider();
});

afterAll(() => provider.kill());

beforeEach(async () => {
  place = await newPlace();
  settings = {
    SESSION_REDIS_URL: place.config.REDIS_URL,
    SESSION_SECRETS: 'a-secret-of-the-test-that-is-long-enough',
    PUBLIC_URL,
    OIDC_ISSUER: `http://127.0.0.1:${port}`,
    OIDC_CLIENT_ID: 'tally',
    OIDC_CLIENT_SECRET: 'a secret of the provider',
  };
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()));
  await place.close();
});

/** What the provider says of somebody from now on. */
async function give(name: string, roles: string): Promise<void> {
  await (await fetch(`http://127.0.0.1:${port}/roles?name=${name}&roles=${roles}`)).text();
}

async function start(overrides: Record<string, string> = {}): Promise<Tally> {
  const tally = await startTally(place, { ...settings, ...overrides });
  running.push(tally.app);
  return tally;
}

/** A browser: keeps the cookies of each host, and follows no redirect by itself. */
class Browser {
  private readonly jars = new Map<string, Map<string, string>>();

  async visit(url: string, form?: Record<string, string>, jarOf = new URL(url).host): Promise<Response> {
    const jar = this.jars.get(jarOf) ?? new Map<string, string>();
    this.jars.set(jarOf, jar);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      jar.set(name, value);
    }
    return response;
  }

  /** To an instance of Tally; all of them are one site to a browser. */
  async tally(url: string, path: string): Promise<Response> {
    return this.visit(url + path, undefined, 'tally');
  }

  /** Begins a login on an instance. @returns where the provider sends the browser back to. */
  async logInAtProvider(url: string, login: string, returnTo = '/docs'): Promise<string> {
    const begun = await this.tally(url, `/session/oidc?return_to=${encodeURIComponent(returnTo)}`);
    let next = begun.headers.get('location') ?? '';
    while (!next.startsWith(PUBLIC_URL)) {
      let response = await this.visit(next);
      if (response.status === 200) {
        // A page that asks for the name and the password, or whether Tally may know who it is.
        const prompt = /name="prompt" value="(\w+)"/.exec(await response.text())?.[1] ?? '';
        response = await this.visit(next, { prompt, login, password: 'any' });
      }
      next = new URL(response.headers.get('location') ?? '', next).href;
    }
    return next.slice(PUBLIC_URL.length);
  }

  async whoIs(url: string): Promise<{ status: number; body: ReturnType<typeof JSON.parse> }> {
    const response = await this.tally(url, '/session');
    return { status: response.status, body: await response.json() };
  }
}

test('the provider says who somebody is and what his role is, and he comes back to where he wanted to go', async () => {
  await give('ada', 'operator');
  const { url } = (await start()).app;
  const browser = new Browser();
  const callback = await browser.logInAtProvider(url, 'ada');
  const back = await browser.tally(url, callback);
  expect([back.status, back.headers.get('location')]).toEqual([302, '/docs']);
  const { body } = await browser.whoIs(url);
  expect(body).toMatchObject({ kind: 'person', role: 'operator' });
  expect(body.name).toMatch(/^ada \(127\.0\.0\.1:\d+, [0-9a-f]{8}\)$/);

  // Whoever is logged in stays so, whatever link he follows.
  const again = await browser.tally(url, '/session/oidc?return_to=/docs');
  expect([again.status, again.headers.get('location')]).toEqual([302, '/docs']);
  expect((await browser.whoIs(url)).status).toBe(200);

  // The code is worth nothing a second time, whoever has it.
  expect((await browser.tally(url, callback)).status).toBe(401);
  expect(await (await new Browser().tally(url, callback)).json()).toMatchObject({
    type: 'urn:tally:problem:login-failed',
    detail: 'This login has not begun in this browser, or took longer than 10 minutes.',
  });
});

test('with single sign-on nobody is served without a login, from the first start on', async () => {
  const tally = await start();
  expect((await tally.get('/orders')).status).toBe(401);
});

test('whoever has no role of Tally may do nothing, and a role that is taken away ends the session', async () => {
  const { url } = (await start()).app;
  await give('eve', 'superuser');
  const nobody = new Browser();
  const refused = await nobody.tally(url, await nobody.logInAtProvider(url, 'eve'));
  expect(await refused.json()).toMatchObject({ type: 'urn:tally:problem:forbidden' });
  expect((await nobody.whoIs(url)).status).toBe(401);

  await give('ada', 'unknown,viewer,admin');
  const desk = new Browser();
  await desk.tally(url, await desk.logInAtProvider(url, 'ada'));
  expect((await desk.whoIs(url)).body.role).toBe('admin'); // the strongest one
  await give('ada', 'viewer');
  const phone = new Browser();
  await phone.tally(url, await phone.logInAtProvider(url, 'ada'));
  expect((await phone.whoIs(url)).body.role).toBe('viewer');
  expect((await desk.whoIs(url)).status).toBe(401);
  const [rows] = await place.sql.query("SELECT name FROM principals WHERE name LIKE 'ada%'");
  expect(rows).toHaveLength(1);
});

test('a login that began on one instance goes on at another after the first one was killed', async () => {
  await give('ada', 'viewer');
  const other = (await start()).app.url;
  const first = await startServiceProcess({ ...place.env, ...settings });
  const browser = new Browser();
  const callback = await browser.logInAtProvider(first.match, 'ada');
  await first.kill();
  expect((await browser.tally(other, callback)).status).toBe(302);
  expect((await browser.whoIs(other)).status).toBe(200);
});

test('with sessions in the process it does not', async () => {
  const { SESSION_REDIS_URL: _, SESSION_SECRETS: __, ...alone } = settings;
  settings = alone;
  const [one, two] = [(await start()).app.url, (await start()).app.url];
  const browser = new Browser();
  const callback = await browser.logInAtProvider(one, 'ada');
  expect((await browser.tally(two, callback)).status).toBe(401);
});

test('one login cannot be finished in another browser, with another state or with a code of nobody', async () => {
  const { url } = (await start()).app;
  const [attacker, victim] = [new Browser(), new Browser()];
  const stolen = await attacker.logInAtProvider(url, 'eve');
  await victim.logInAtProvider(url, 'ada');
  for (const path of [
    stolen,
    stolen.replace(/state=[^&]+/, 'state=x'),
    '/session/oidc/callback?code=x',
    '/session/oidc/callback',
  ]) {
    expect((await victim.tally(url, path)).status).toBe(401);
  }
  expect((await victim.whoIs(url)).status).toBe(401);
});

test('while MySQL is away, a login is told so', async () => {
  await give('ada', 'viewer');
  const { proxy, url: databaseUrl } = await proxyDatabase(place.config.DATABASE_URL);
  try {
    const { url } = (await start({ DATABASE_URL: databaseUrl })).app;
    const browser = new Browser();
    const callback = await browser.logInAtProvider(url, 'ada');
    await proxy.cut();
    expect(await (await browser.tally(url, callback)).json()).toMatchObject({
      type: 'urn:tally:problem:mysql-unreachable',
    });
  } finally {
    await proxy.close();
  }
});

test('a link sends nobody to another site after the login', async () => {
  const tally = await start();
  for (const path of ['https://evil.example/', '//evil.example', '/\\evil.example', 'evil']) {
    expect((await tally.get(`/session/oidc?return_to=${encodeURIComponent(path)}`)).status).toBe(400);
  }
});

test('the service starts while its provider is away, and logins work when it is back', async () => {
  await provider.kill();
  const tally = await start();
  const refused = await tally.get('/session/oidc');
  expect([refused.status, refused.body.type]).toEqual([503, 'urn:tally:problem:provider-unreachable']);
  provider = await startProvider();
  await give('ada', 'viewer');
  const browser = new Browser();
  const callback = await until(() => browser.logInAtProvider(tally.app.url, 'ada'));
  expect((await browser.tally(tally.app.url, callback)).status).toBe(302);
});

test('a provider is configured as a whole, and reached in a way that nobody can listen to', () => {
  const { OIDC_CLIENT_ID: _, PUBLIC_URL: __, ...partly } = settings;
  expect(() => loadConfig({ ...place.env, ...partly })).toThrow(
    /OIDC_CLIENT_ID is not set: it goes with OIDC_ISSUER\n.*PUBLIC_URL is not set: it goes with OIDC_ISSUER/,
  );
  expect(() => loadConfig({ ...place.env, ...settings, OIDC_ISSUER: 'http://login.example' })).toThrow(
    'OIDC_ISSUER: must begin with https://, except on this machine',
  );
});
