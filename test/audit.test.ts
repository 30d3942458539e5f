import type { RowDataPacket } from 'mysql2/promise';
import { AccessLog, JoinedEvents } from '../src/access/access-log';
import { newApiKey } from '../src/access/api-key';
import { mergeNewest } from '../src/audit';
import { loadConfig } from '../src/config';
import { instantAt } from '../src/domain/ids';
import { createLogger } from '../src/logger';
import { migrate } from '../src/mysql/migrate';
import { openDatabases } from '../src/mysql/pool';
import { proxyDatabase } from '../torture/proxy';
import { runCli } from './support/cli';
import { bearer, digitsOf, newKey, tokenIn } from './support/keys';
import { newPlace, seedCatalogue, startTally, until, type Place, type Tally } from './support/tally';

type Entry = Record<string, unknown> & { what: string; count: number };

let place: Place;

beforeEach(async () => {
  place = await newPlace();
});

afterEach(async () => {
  await place.close();
});

const cli = (...args: string[]) => runCli(args, place.env);

describe('joining', () => {
  const at = (ms: number) => instantAt(1_700_000_000_000 + ms);
  const refusal = (address: string, keyId = 'aaaaaaaaaaaa', reason = 'revoked') =>
    ({ what: 'key-refused', reason, address, keyId, occurredAt: at(0), count: 1 }) as const;

  test('equal events are one with a count and the time of the last', () => {
    const joined = new JoinedEvents(10);
    joined.add(refusal('::1'));
    joined.add({ ...refusal('::1'), occurredAt: at(5), count: 3 });
    joined.add(refusal('::2'));
    expect(joined.all).toEqual([{ ...refusal('::1'), occurredAt: at(5), count: 4 }, refusal('::2')]);
  });

  test('different ones are kept up to a bound; what is beyond it is counted', () => {
    const joined = new JoinedEvents(2);
    for (const address of ['::1', '::2', '::3', '::4', '::1']) joined.add(refusal(address));
    expect(joined.all).toEqual([
      { ...refusal('::1'), count: 2 },
      refusal('::2'),
      { what: 'left-out', occurredAt: at(0), count: 2 },
    ]);
  });

  test('whoever makes up keys takes the room of one', () => {
    const joined = new JoinedEvents(10);
    for (const keyId of ['000000000001', '000000000002']) joined.add(refusal('::1', keyId, 'unknown'));
    expect(joined.all).toEqual([{ ...refusal('::1', '000000000001', 'unknown'), count: 2 }]);
  });
});

test('two lists are merged by time, and each stays in its own order', () => {
  const entries = (...times: string[]) => times.map((occurred_at) => ({ occurred_at }));
  const merge = (first: string[], second: string[], limit: number) => {
    const { merged, taken } = mergeNewest(entries(...first), entries(...second), limit);
    return [merged.map(({ occurred_at }) => occurred_at).join(''), ...taken];
  };
  expect(merge(['7', '4'], ['6', '5', '3'], 9)).toEqual(['76543', 2, 3]);
  expect(merge(['7', '4'], ['6', '5', '3'], 3)).toEqual(['765', 1, 2]);
  expect(merge(['4', '7'], ['5'], 9)).toEqual(['547', 2, 1]);
  expect(merge([], [], 9)).toEqual(['', 0, 0]);
});

describe('GET /audit', () => {
  let admin: Record<string, string>;
  let tally: Tally;

  beforeEach(async () => {
    admin = bearer(await newKey(place, 'admin', ['admin']));
    tally = await startTally(place, { ACCESS: 'closed' });
  });

  afterEach(async () => {
    await tally.app.close();
  });

  async function entries(): Promise<Entry[]> {
    return (await tally.get('/audit?limit=100', admin)).body.entries;
  }

  const isOfKey = ({ what }: Entry) => what.startsWith('key-');

  test('says who created and deleted what, newest first', async () => {
    const till = bearer(await newKey(place, 'till', ['orders:write']));
    const asAdmin: Tally = { ...tally, post: (path, body) => tally.post(path, body, admin) };
    const { user, products } = await seedCatalogue(asAdmin, ['2.50']);
    const order = { user_id: user, items: [{ product_id: products[0], quantity: 1 }] };
    const created = await Promise.all([
      tally.post('/orders', order, { ...till, 'idempotency-key': 'once' }),
      tally.post('/orders', order, admin),
    ]);
    // Not carried out again, so it is no entry.
    await tally.post('/orders', order, { ...till, 'idempotency-key': 'once' });
    const deleted = await tally.delete(`/orders/${created[1].body.order_id}`, till);
    // An order of another program: Tally tells the log of it by itself.
    await place.sql.query('INSERT INTO orders (user_id, total_amount, created_at) VALUES (?, 0, ?)', [
      user,
      '2026-11-21 10:00:00.000',
    ]);
    const [[other]] = await place.sql.query<RowDataPacket[]>('SELECT MAX(id) AS id FROM orders');
    await tally.delete(`/orders/${other?.id}`, till);

    const commands = (await entries()).filter((entry) => !isOfKey(entry));
    const asTill = { principal_id: expect.any(Number), kind: 'program', name: 'till' };
    const asAdminOf = { ...asTill, name: 'admin' };
    const entry = (what: string, who: unknown, id: unknown) => ({
      occurred_at: expect.stringMatching(/^20.*Z$/),
      what,
      who,
      about: { kind: what.split('-')[0], id: String(id), owner: null },
      reason: null,
      route: null,
      address: null,
      count: 1,
      position: expect.any(Number),
    });
    expect(commands.slice(0, 3)).toEqual([
      entry('order-deleted', asTill, other?.id),
      entry('order-created', null, other?.id),
      entry('order-deleted', asTill, deleted.body.order_id),
    ]);
    expect(commands.slice(3, 5)).toEqual(
      expect.arrayContaining([
        entry('order-created', asTill, created[0].body.order_id),
        entry('order-created', asAdminOf, created[1].body.order_id),
      ]),
    );
    expect(commands.slice(5)).toEqual([
      entry('product-added', asAdminOf, products[0]),
      entry('user-registered', asAdminOf, user),
    ]);
  });

  test('shows why keys were refused, joined, and who had which', async () => {
    const reader = await newKey(place, 'reader', ['reports:read']);
    const gone = await newKey(place, 'gone', ['admin']);
    await cli('key', 'revoke', 'gone');
    const unknown = newApiKey(instantAt(Date.now()), undefined).token;
    const wrong = unknown.replace(digitsOf(unknown), digitsOf(reader));
    // The instance learns of the revocation within a second; until then the key counts.
    await until(async () => (await tally.post('/orders', {}, bearer(gone))).status === 401);
    for (const token of [reader, unknown, wrong, wrong]) {
      await tally.post('/orders', {}, bearer(token));
    }
    await tally.get('/orders'); // no key at all is nobody's
    const refused = await until(async () => {
      const found = (await entries()).filter(({ what }) => what === 'key-refused');
      return new Set(found.map(({ reason }) => reason)).size === 4 ? found : undefined;
    });
    const who = (name: string) => ({ principal_id: expect.any(Number), kind: 'program', name });
    const entry = (reason: string, token: string, owner: string | null, isOwner: boolean) => ({
      occurred_at: expect.any(String),
      what: 'key-refused',
      who: isOwner && owner !== null ? who(owner) : null,
      about: { kind: 'key', id: digitsOf(token), owner },
      reason,
      route: 'POST /orders',
      address: '127.0.0.1',
      count: expect.any(Number), // those that are written at the same time are joined
      position: null,
    });
    expect(refused).toEqual(
      expect.arrayContaining([
        entry('forbidden', reader, 'reader', true),
        entry('revoked', gone, 'gone', true),
        entry('unknown', unknown, null, false),
        entry('wrong-secret', wrong, 'reader', false),
      ]),
    );
    // What is secret of a token is nowhere.
    const stored = JSON.stringify((await place.sql.query('SELECT * FROM access_events'))[0]);
    for (const token of [reader, gone, unknown]) expect(stored).not.toContain(token.slice(19));
  });

  test('has every change of a key that an operator makes', async () => {
    const first = await newKey(place, 'till', ['orders:write']);
    const second = tokenIn((await cli('key', 'rotate', 'till', '--grace', '1h')).output);
    await cli('key', 'revoke', 'till');
    const changes = (await entries()).map(({ what, who, about }) => ({ what, who, about }));
    const change = (what: string, token: string) => ({
      what,
      who: null,
      about: { kind: 'key', id: digitsOf(token), owner: 'till' },
    });
    expect(changes).toHaveLength(5);
    expect(changes.slice(0, 2)).toEqual(
      expect.arrayContaining([change('key-revoked', first), change('key-revoked', second)]),
    );
    expect(changes.slice(2, 4)).toEqual([change('key-rotated', second), change('key-created', first)]);
  });

  test('page by page it is what it was when the first page was read', async () => {
    const add = (sku: string) => tally.post('/products', { name: 'Tea', sku, price: '1.00' }, admin);
    for (const name of ['a', 'b', 'c']) {
      await add(name);
      await newKey(place, name, ['admin']);
    }
    for (const limit of [1, 2, 3, 100]) {
      const all = await entries();
      const paged: Entry[] = [];
      for (let cursor = ''; ;) {
        const { body } = await tally.get(`/audit?limit=${limit}${cursor}`, admin);
        paged.push(...body.entries);
        if (body.next_cursor === null) break;
        cursor = `&cursor=${body.next_cursor}`;
        await add(`${limit} ${paged.length}`);
      }
      expect(paged).toEqual(all);
    }
  });

  test.each(['1', '1-', 'a-b', '1-2-3', '9999999999999999-1'])('%j is no cursor', async (cursor) => {
    const { status, body } = await tally.get(`/audit?cursor=${cursor}`, admin);
    expect([status, body.errors]).toEqual([
      400,
      [{ field: 'cursor', message: 'must be a next_cursor of an earlier answer' }],
    ]);
  });
});

describe('the log of what happens to access', () => {
  const log = createLogger({ LOG_LEVEL: 'silent' });

  async function rows(): Promise<RowDataPacket[]> {
    const [found] = await place.sql.query<RowDataPacket[]>(
      'SELECT what, count, address FROM access_events ORDER BY id',
    );
    return found;
  }

  beforeEach(async () => {
    await migrate(place.config.DATABASE_URL, 5000);
  });

  test('keeps what it has room for while MySQL is away, and counts the rest of a flood', async () => {
    const { proxy, url } = await proxyDatabase(place.config.DATABASE_URL);
    const databases = openDatabases(loadConfig({ ...place.env, DATABASE_URL: url }));
    const accessLog = new AccessLog(databases.reads, { keepDays: 1, log });
    try {
      await proxy.cut();
      accessLog.start();
      for (let i = 0; i < 5_000; i++) accessLog.note({ what: 'key-refused', address: `::${i}` });
      accessLog.note({ what: 'key-refused', address: '::0' });
      await proxy.restore();
      const written = await until(async () => {
        const found = await rows();
        return found.length > 0 ? found : undefined;
      });
      expect(written).toHaveLength(101);
      expect(written[0]).toEqual({ what: 'key-refused', count: 2, address: '::0' });
      expect(written[100]).toEqual({ what: 'left-out', count: 4_900, address: null });
    } finally {
      await accessLog.stop();
      await databases.close();
      await proxy.close();
    }
    expect(await rows()).toHaveLength(101);
  });

  test('forgets what is older than AUDIT_DAYS', async () => {
    await place.sql.query(
      `INSERT INTO access_events (occurred_at, what, count)
       VALUES (UTC_TIMESTAMP() - INTERVAL 25 HOUR, 'old', 1), (UTC_TIMESTAMP() - INTERVAL 23 HOUR, 'new', 1)`,
    );
    const databases = openDatabases(place.config);
    const accessLog = new AccessLog(databases.reads, { keepDays: 1, log });
    try {
      accessLog.start();
      await until(async () => (await rows()).length === 1);
      expect(await rows()).toMatchObject([{ what: 'new' }]);
    } finally {
      await accessLog.stop();
      await databases.close();
    }
  });

  test('takes any text for an address, as a proxy may forward it', async () => {
    const databases = openDatabases(place.config);
    const accessLog = new AccessLog(databases.reads, { keepDays: 1, log });
    accessLog.note({ what: 'key-refused', address: 'caf\u00e9' });
    await accessLog.stop();
    await databases.close();
    expect(await rows()).toEqual([{ what: 'key-refused', count: 1, address: 'caf?' }]);
  });

  test('writes what is left when the service ends', async () => {
    const databases = openDatabases(place.config);
    const accessLog = new AccessLog(databases.reads, { keepDays: 1, log });
    accessLog.note({ what: 'key-refused', address: '::1' });
    await accessLog.stop();
    await databases.close();
    expect(await rows()).toEqual([{ what: 'key-refused', count: 1, address: '::1' }]);
  });
});
