import { setTimeout as delay } from 'node:timers/promises';
import { uniqueIdentity } from '../src/commands/writer/identity';
import type { EventBody } from '../src/domain/events';
import { eventId, instantAt, logId, positionOf } from '../src/domain/ids';
import type { LogPosition } from '../src/domain/log-position';
import { append, type NewEvent } from '../src/mysql/append';
import { failureOf } from '../src/mysql/failures';
import {
  latestEventsOf,
  readAfter,
  readEventIds,
  readHead,
  replaceLogId,
  subjectsWithoutRow,
} from '../src/mysql/log';
import { migrate } from '../src/mysql/migrate';
import { openDatabases, type Databases } from '../src/mysql/pool';
import { newPlace, type Place } from './support/place';

let place: Place;
let databases: Databases;

beforeAll(async () => {
  place = await newPlace({ MYSQL_POOL_SIZE: '8' });
  await migrate(place.config.DATABASE_URL, 5000);
  databases = openDatabases(place.config);
});

afterAll(async () => {
  await databases.close();
  await place.close();
});

const event = (subject: number, body: EventBody = { type: 'UserRemoved' }): NewEvent => ({
  body,
  subject,
  ...uniqueIdentity(),
  occurredAt: instantAt(Date.now()),
  actor: undefined,
});

const appendAll = (...events: NewEvent[]) =>
  databases.commands.session((session) => session.ask(append(events), { ends: true }));
const rows = <Row>(sql: string) => databases.reads.session((session) => session.rows<Row>(sql));
const write = (sql: string) => databases.reads.session((session) => session.send([{ sql }]));

test('concurrent writers with rollbacks leave no gap, and a reader that polls misses nothing', async () => {
  const WRITERS = 8;
  const EACH = 40;
  let writing = true;

  const writer = async (n: number) => {
    let written = 0;
    for (let i = 0; i < EACH; i++) {
      await databases.commands.session(async (session) => {
        await session.send([
          {
            sql: 'INSERT INTO users (name, email, created_at) VALUES (?, ?, NOW())',
            parameters: ['x', `${n}-${i}@x`],
          },
        ]);
        if (i % 6 === 0) return; // rolled back when the session is given back
        const events = Array.from({ length: 1 + (i % 3) }, () => event(n + 1));
        await session.ask(append(events), { ends: true });
        written += events.length;
      });
    }
    return written;
  };

  const start = await databases.reads.session(readHead);
  const reader = async () => {
    let at: LogPosition = start;
    const seen: number[] = [];
    for (let last = false; ; last = !writing) {
      const next = await databases.reads.session((session) => readAfter(session, at, 50));
      if (next.kind === 'diverged') throw new Error('the chain broke');
      for (const logged of next.events) {
        seen.push(logged.position);
        at = logged;
      }
      if (last && next.events.length === 0) return seen;
      await delay(1);
    }
  };

  const readers = Promise.all([reader(), reader()]);
  const written = await Promise.all(Array.from({ length: WRITERS }, (_, n) => writer(n)));
  writing = false;
  const total = written.reduce((a, b) => a + b, 0);
  const expected = Array.from({ length: total }, (_, index) => start.position + index + 1);
  for (const seen of await readers) expect(seen).toEqual(expected);
  expect((await databases.reads.session(readHead)).position).toBe(start.position + total);
});

test('an event id is in the log once', async () => {
  const once = event(1);
  await appendAll(once);
  const head = await databases.reads.session(readHead);
  expect(await appendAll(once).catch(failureOf)).toBe('duplicate');
  expect(await databases.reads.session(readHead)).toEqual({ ...head, askedAt: expect.any(Number) });
});

test('nothing is appended to a log whose head somebody has taken away', async () => {
  const events = async () => (await rows<{ n: number }>('SELECT COUNT(*) AS n FROM order_events'))[0]?.n;
  const [head] = await rows<Record<string, never>>('SELECT * FROM event_head');
  const before = await events();
  await write('DELETE FROM event_head');
  try {
    expect(await appendAll(event(1)).catch(failureOf)).toBe('impossible-value');
    expect(await events()).toBe(before);
  } finally {
    await databases.reads.session((session) =>
      session.send([{ sql: 'INSERT INTO event_head VALUES (?)', parameters: [Object.values(head ?? {})] }]),
    );
  }
});

test('reading on from a position that the log does not have says so', async () => {
  const head = await databases.reads.session(readHead);
  const other = eventId('f'.repeat(32));
  const read = async (from: LogPosition) =>
    databases.reads.session((session) => readAfter(session, from, 10));
  expect(await read(head)).toEqual({ kind: 'events', events: [] });
  expect((await read({ ...head, eventId: other })).kind).toBe('diverged');
  expect((await read({ ...head, position: positionOf(head.position + 5) })).kind).toBe('diverged');
  expect((await read({ position: positionOf(0), eventId: other })).kind).toBe('diverged');
  expect((await read({ position: positionOf(0), eventId: eventId(head.logId) })).kind).toBe('events');
});

test('which event stands at a position', async () => {
  const head = await databases.reads.session(readHead);
  const read = async (position: number) =>
    (await databases.reads.session((session) => readEventIds(session, [positionOf(position)]))).get(position);
  expect(await read(head.position)).toBe(head.eventId);
  expect(await read(head.position + 1)).toBeUndefined();
  expect(await read(0)).toBe(head.logId);
});

test('what the log last said of a subject, what it counts, and what has no row', async () => {
  const before = await databases.reads.session(readHead);
  const added = (name: string): EventBody => ({ type: 'ProductAdded', name, sku: name });
  await appendAll(
    event(901, added('Tea')),
    event(902, added('Cup')),
    event(903, added('Pot')),
    { ...event(901, added('Tee')), restates: true },
    event(902, { type: 'ProductRemoved' }),
    event(901, { type: 'UserRegistered', name: 'Ada' }),
    event(901, { type: 'UserErased' }),
  );
  const latest = await databases.reads.session((session) =>
    session.ask(latestEventsOf('product', [901, 902, 904])),
  );
  expect([...latest].map(([id, { event }]) => [id, event])).toEqual([
    [901, { type: 'ProductAdded', productId: 901, name: 'Tee', sku: 'Tee' }],
    [902, { type: 'ProductRemoved', productId: 902 }],
  ]);
  const user = await databases.reads.session((session) => session.ask(latestEventsOf('user', [901])));
  expect(user.get(901)?.event).toEqual({ type: 'UserErased', userId: 901 });
  const head = await databases.reads.session(readHead);
  expect(head.live).toEqual({ ...before.live, product: before.live.product + 2, user: before.live.user + 1 });
  const withoutRow = await databases.reads.session((session) =>
    subjectsWithoutRow(session, 'product', 10_000),
  );
  expect(withoutRow).toEqual([901, 903]);
});

test('the log of a copy can be given another identity', async () => {
  const before = await databases.reads.session(readHead);
  await databases.reads.session((session) => replaceLogId(session, logId('e'.repeat(32))));
  const after = await databases.reads.session(readHead);
  expect(after).toEqual({ ...before, logId: 'e'.repeat(32), askedAt: expect.any(Number) });
});
