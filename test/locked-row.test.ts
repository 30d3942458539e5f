import { setTimeout as delay } from 'node:timers/promises';
import type { UserId } from '../src/domain/ids';
import { Problem } from '../src/domain/problems';
import { proxyDatabase } from '../torture/proxy';
import { newPlace, type Place } from './support/place';
import { seed, startWriteSide } from './support/write-side';

const TIMEOUT_MS = 3000;
/** Every command is answered within 1.2 × the bound. */
const LATEST_MS = 1.2 * TIMEOUT_MS;
const CLIENTS = 128;
const WINDOW_MS = 3000;
const ROUNDS = 4;

let place: Place;

beforeAll(async () => {
  place = await newPlace({ MYSQL_TIMEOUT_MS: String(TIMEOUT_MS) });
});

afterAll(async () => {
  await place.close();
});

interface Answer {
  /** `done`, or the problem. */
  outcome: string;
  ms: number;
}

async function timed(work: () => Promise<unknown>): Promise<Answer> {
  const startedAt = performance.now();
  const outcome = await work().then(
    () => 'done',
    (error: unknown) => (error instanceof Problem ? error.slug : String(error)),
  );
  return { outcome, ms: performance.now() - startedAt };
}

const slowest = (answers: Answer[]) => Math.round(Math.max(...answers.map(({ ms }) => ms)));
const outcomes = (answers: Answer[]) => [...new Set(answers.map(({ outcome }) => outcome))].sort();

/**
 * What clients that order one after the other are answered. 2 % of all orders are for the first user; a client goes on
 * without waiting for the answer to those, so that the others are ordered for as if nobody was locked.
 */
async function load(users: UserId[], order: (user: UserId) => Promise<unknown>) {
  const answers: { first: Promise<Answer>[]; others: Answer[] } = { first: [], others: [] };
  const endsAt = performance.now() + WINDOW_MS;
  let next = 0;
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (performance.now() < endsAt) {
        const nth = next++;
        const isFirst = nth % 50 === 0;
        const user = users[isFirst ? 0 : 1 + (nth % (users.length - 1))];
        if (user === undefined) throw new Error('too few users');
        const answer = timed(() => order(user));
        if (isFirst) answers.first.push(answer);
        else answers.others.push(await answer);
      }
    }),
  );
  return { first: await Promise.all(answers.first), others: answers.others };
}

test('one locked user under 128 clients: the others keep their rate', async () => {
  const side = await startWriteSide(place);
  const { users, products } = await seed(side, 50, [100n, 250n]);
  const order = (user: UserId) => side.order(user, products);
  const holder = await place.sql.getConnection();
  try {
    await load(users, order); // warm
    // The best of several alternating rounds: what else the machine does must not decide.
    const best = { free: 0, locked: 0 };
    const locked: Answer[] = [];
    for (let round = 0; round < 2 * ROUNDS; round++) {
      const isLocked = round % 2 === 1;
      if (isLocked) {
        await holder.query('START TRANSACTION');
        await holder.query('SELECT name FROM users WHERE id = ? FOR UPDATE', [users[0]]);
      }
      const { first, others } = await load(users, order);
      if (isLocked) await holder.query('ROLLBACK');
      expect(outcomes(others)).toEqual(['done']);
      if (isLocked) locked.push(...first);
      const lane = isLocked ? 'locked' : 'free';
      best[lane] = Math.max(best[lane], Math.round((others.length / WINDOW_MS) * 1000));
    }
    const share = best.locked / best.free;
    console.log(
      `a locked user, ${CLIENTS} clients: others order ${best.free}/s when he is free, ${best.locked}/s when locked (${(100 * share).toFixed(1)} %), ` +
        `${locked.length} for the locked one, answered within ${slowest(locked)} ms`,
    );
    expect(outcomes(locked)).toEqual(['overloaded']);
    expect(slowest(locked)).toBeLessThan(LATEST_MS);
    // The figure above is 0.9 or more on a quiet machine. A busy one halves it at most; without the lane it was 0.01.
    expect(share).toBeGreaterThan(0.5);
  } finally {
    holder.release();
    await side.close();
  }
}, 120_000);

test('a locked product and a locked order are waited for, and no others with them', async () => {
  const side = await startWriteSide(place);
  const {
    users: [user],
    products: [locked, free],
  } = await seed(side, 1, [100n, 250n]);
  const holder = await place.sql.getConnection();
  if (user === undefined || locked === undefined || free === undefined) throw new Error('not seeded');
  try {
    await holder.query('START TRANSACTION');
    await holder.query('SELECT name FROM products WHERE id = ? FOR UPDATE', [locked]);
    const waiting = [side.order(user, [locked]), side.order(user, [free, locked])];
    const others = await Promise.all(Array.from({ length: 20 }, () => timed(() => side.order(user, [free]))));
    expect(outcomes(others)).toEqual(['done']);
    expect(slowest(others)).toBeLessThan(1000);
    await holder.query('ROLLBACK');
    await Promise.all(waiting);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
    await side.close();
  }
});

test('the head is locked: every command is answered within 1.2 × the bound', async () => {
  const side = await startWriteSide(place);
  const {
    users: [user],
    products,
  } = await seed(side, 1, [100n]);
  const holder = await place.sql.getConnection();
  if (user === undefined) throw new Error('not seeded');
  try {
    await holder.query('START TRANSACTION');
    await holder.query('SELECT position FROM event_head WHERE id = 1 FOR UPDATE');
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => timed(() => side.order(user, products))),
    );
    console.log(`the head is locked: ${outcomes(answers).join(', ')} within ${slowest(answers)} ms`);
    for (const outcome of outcomes(answers)) expect(['overloaded', 'outcome-unknown']).toContain(outcome);
    expect(slowest(answers)).toBeLessThan(LATEST_MS);
    await holder.query('ROLLBACK');
    await side.order(user, products);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
    await side.close();
  }
});

test('MySQL is frozen: every command is answered within 1.2 × the bound', async () => {
  const { proxy, url } = await proxyDatabase(place.config.DATABASE_URL);
  const side = await startWriteSide(place, { DATABASE_URL: url });
  const {
    users: [user],
    products,
  } = await seed(side, 1, [100n]);
  if (user === undefined) throw new Error('not seeded');
  try {
    const answers: Promise<Answer>[] = [];
    const order = () => answers.push(timed(() => side.order(user, products)));
    // Some are under way when it freezes, the others arrive one by one while it is frozen.
    for (let n = 0; n < 40; n++) order();
    proxy.freeze();
    for (let n = 0; n < 60; n++) {
      order();
      await delay(50);
    }
    const answered = await Promise.all(answers);
    console.log(`MySQL is frozen: ${outcomes(answered).join(', ')} within ${slowest(answered)} ms`);
    for (const outcome of outcomes(answered)) {
      expect(['done', 'mysql-unreachable', 'outcome-unknown', 'overloaded']).toContain(outcome);
    }
    expect(slowest(answered)).toBeLessThan(LATEST_MS);
    proxy.thaw();
    const back = await timed(() => side.order(user, products));
    expect(back.outcome).toBe('done');
  } finally {
    proxy.thaw();
    await side.close();
    await proxy.close();
  }
});
