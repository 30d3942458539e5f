import { Batches } from '../src/commands/writer/group-commit';

interface Batch {
  items: string[];
  yieldTurn: () => void;
  finish: () => void;
}

/** Batches that are carried out when the test says so. */
function batches({ maxWaiting = 10, maxWaitMs = 20_000 } = {}) {
  const begun: Batch[] = [];
  const queue = new Batches<string, string>({
    carryOut: (items, yieldTurn) =>
      new Promise((resolve) => {
        const results = items.map((item) => ({ status: 'fulfilled' as const, value: `${item} done` }));
        begun.push({ items, yieldTurn, finish: () => resolve(results) });
      }),
    identityOf: (item) => item,
    maxWaiting,
    maxWaitMs,
  });
  return { queue, begun };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what comes in one turn goes together; what comes while two are under way waits, and goes together', async () => {
  const { queue, begun } = batches();
  const first = [queue.add('a'), queue.add('b')];
  await turn();
  const second = queue.add('c');
  await turn();
  const third = [queue.add('d'), queue.add('e'), queue.add('d')];
  await turn();
  expect(begun.map(({ items }) => items)).toEqual([['a', 'b'], ['c']]);
  begun[0]?.finish();
  expect(await Promise.all(first)).toEqual(['a done', 'b done']);
  await turn();
  // Two of the same identity never go together.
  expect(begun[2]?.items).toEqual(['d', 'e']);
  begun[1]?.finish();
  await second;
  await turn();
  expect(begun[3]?.items).toEqual(['d']);
  begun[2]?.finish();
  begun[3]?.finish();
  expect(await Promise.all(third)).toEqual(['d done', 'e done', 'd done']);
});

test('a batch that yields its turn does not hold up the others', async () => {
  const { queue, begun } = batches();
  const slow: Promise<string>[] = [];
  for (const item of ['a', 'b']) {
    slow.push(queue.add(item));
    await turn();
  }
  const next = queue.add('c');
  await turn();
  expect(begun).toHaveLength(2);
  begun[0]?.yieldTurn();
  begun[0]?.yieldTurn(); // once is enough
  await turn();
  begun[2]?.finish();
  expect(await next).toBe('c done');
  for (const batch of begun) batch.finish();
  await Promise.all(slow);
});

test('nobody waits for longer than he may, and no more than may wait do', async () => {
  const { queue, begun } = batches({ maxWaiting: 1, maxWaitMs: 50 });
  const carriedOut: Promise<string>[] = [];
  for (const item of ['a', 'b']) {
    carriedOut.push(queue.add(item));
    await turn();
  }
  const waiting = queue.add('c');
  await expect(queue.add('d')).rejects.toMatchObject({ slug: 'overloaded' });
  await expect(waiting).rejects.toMatchObject({ slug: 'overloaded' });
  for (const batch of begun) batch.finish();
  expect(await Promise.all(carriedOut)).toEqual(['a done', 'b done']);
  expect(begun).toHaveLength(2);
});
