import { setImmediate as nextTurn } from 'node:timers/promises';
import { Turns } from '../src/concurrency';

const PATIENT = { waitMs: 30_000, refusal: () => new Error('full') };

/** Work that goes on until it is ended, and says when it has begun. */
function newWork(name: string, begun: string[]) {
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const work = async () => {
    begun.push(name);
    await ended;
    return name;
  };
  return { work, end };
}

test('so many go on at a time, the next ones wait in their order, and further ones are refused', async () => {
  const turns = new Turns({ limit: 2, maxWaiting: 2, ...PATIENT });
  const begun: string[] = [];
  const works = ['a', 'b', 'c', 'd'].map((name) => newWork(name, begun));
  const results = works.map(({ work }) => turns.take(work));
  await expect(turns.take(async () => 'e')).rejects.toThrow('full');
  expect(begun).toEqual(['a', 'b']);
  works[1]?.end();
  expect(await results[1]).toBe('b');
  await nextTurn();
  expect(begun).toEqual(['a', 'b', 'c']);
  for (const { end } of works) end();
  expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'd']);
});

test('work that fails gives its turn to the next', async () => {
  const turns = new Turns({ limit: 1, maxWaiting: 1, ...PATIENT });
  const failing = turns.take(() => Promise.reject(new Error('failed')));
  const next = turns.take(async () => 'next');
  await expect(failing).rejects.toThrow('failed');
  expect(await next).toBe('next');
});

test('who has waited for too long is refused, and leaves its place in the queue', async () => {
  const turns = new Turns({ ...PATIENT, limit: 1, maxWaiting: 1, waitMs: 5 });
  const { work, end } = newWork('a', []);
  const first = turns.take(work);
  await expect(turns.take(async () => 'b')).rejects.toThrow('full');
  const waiting = turns.take(async () => 'c');
  end();
  expect([await first, await waiting]).toEqual(['a', 'c']);
});
