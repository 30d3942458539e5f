import { setTimeout as delay } from 'node:timers/promises';
import { uniqueIdentity } from '../src/commands/writer/identity';
import type { Tip } from '../src/domain/events';
import { openDatabases, type Databases } from '../src/mysql/pool';
import { failureOf } from '../src/mysql/failures';
import { appendAndCommit, readAfter, readHead } from '../src/mysql/log';
import { migrate } from '../src/mysql/migrate';
import { newPlace, type Place } from './support/tally';

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

const event = (userId: number) => ({
  event: { type: 'UserRemoved' as const, userId },
  ...uniqueIdentity(),
  occurredAt: new Date().toISOString(),
});

test('concurrent writers with rollbacks leave no gap, and a reader that polls misses nothing', async () => {
  const WRITERS = 8;
  const EACH = 40;
  let writing = true;

  const writer = async (n: number) => {
    let written = 0;
    for (let i = 0; i < EACH; i++) {
      await databases.commands.session(async (session) => {
        await session.write('INSERT INTO users (name, email, created_at) VALUES (?, ?, NOW())', [
          'x',
          `${n}-${i}@x`,
        ]);
        if (i % 6 === 0) return; // rolled back when the session is given back
        const events = Array.from({ length: 1 + (i % 3) }, () => event(n + 1));
        await appendAndCommit(session, events);
        written += events.length;
      });
    }
    return written;
  };

  const start = await databases.reads.session(readHead);
  const reader = async () => {
    let tip: Tip = { position: start.position, commandId: start.commandId };
    const seen: number[] = [];
    for (let last = false; ; last = !writing) {
      const next = await databases.reads.session((session) => readAfter(session, tip, 50));
      if (next.kind === 'foreign') throw new Error('the chain broke');
      for (const logged of next.events) {
        seen.push(logged.position);
        tip = logged;
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

test('a command id is in the log once', async () => {
  const once = event(1);
  const append = () =>
    databases.commands.session(async (session) => {
      return appendAndCommit(session, [once]);
    });
  await append();
  const head = await databases.reads.session(readHead);
  const failure = await append().catch(failureOf);
  expect(failure).toBe('duplicate');
  expect(await databases.reads.session(readHead)).toEqual({ ...head, askedAt: expect.any(Number) });
});

test('nothing is appended to a log whose head somebody has taken away', async () => {
  const events = async () =>
    (await databases.reads.rows<{ n: number }>('SELECT COUNT(*) AS n FROM order_events'))[0]?.n;
  const [head] = await databases.reads.rows<Record<string, never>>('SELECT * FROM event_head');
  const before = await events();
  await databases.reads.session((session) => session.write('DELETE FROM event_head'));
  try {
    const append = databases.commands.session((session) => appendAndCommit(session, [event(1)]));
    await expect(append).rejects.toMatchObject({ cause: { errno: 1048 } }); // ER_BAD_NULL_ERROR
    expect(await events()).toBe(before);
  } finally {
    await databases.reads.session((session) =>
      session.write('INSERT INTO event_head VALUES (?)', [Object.values(head ?? {})]),
    );
  }
});

test('reading on from a tip that the log does not have says so', async () => {
  const head = await databases.reads.session(readHead);
  const read = (tip: Tip) => databases.reads.session((session) => readAfter(session, tip, 10));
  expect(await read(head)).toEqual({ kind: 'events', events: [] });
  expect((await read({ ...head, commandId: 'f'.repeat(32) })).kind).toBe('foreign');
  expect((await read({ ...head, position: head.position + 5 })).kind).toBe('foreign');
  expect((await read({ position: 0, commandId: 'f'.repeat(32) })).kind).toBe('foreign');
  expect((await read({ position: 0, commandId: head.logId })).kind).toBe('events');
});
