import { GroupCommit, nextGroup, type Queued } from '../src/commands/writer/group-commit';

class Item implements Queued {
  isAnswered = false;
  failure: unknown;

  constructor(
    readonly id: string,
    readonly shares = true,
  ) {}

  fail(error: unknown): void {
    this.isAnswered = true;
    this.failure = error;
  }
}

/** Groups that end when the test says so. */
function groups(maxWaiting = 1000) {
  const begun: { ids: string[]; yieldTurn: () => void; end: () => void }[] = [];
  const queue = new GroupCommit<Item>({
    carryOut: (group, yieldTurn) =>
      new Promise((end) => {
        begun.push({ ids: group.map(({ id }) => id), yieldTurn, end });
      }),
    maxWaiting,
  });
  return { queue, begun, ids: () => begun.map((group) => group.ids.join('')) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const items = (names: string, shares = true) => names.split('').map((name) => new Item(name, shares));

test.each([
  { about: 'in order of arrival', waiting: 'abc', underWay: '', group: 'abc' },
  { about: 'two with the same id never go together', waiting: 'abab', underWay: '', group: 'ab' },
  { about: 'nor while the other is under way', waiting: 'abc', underWay: 'b', group: 'ac' },
  { about: 'nothing', waiting: 'a', underWay: 'a', group: '' },
])('the next group: $about', ({ waiting, underWay, group }) => {
  const next = nextGroup(items(waiting), new Set(underWay), true);
  expect(next.map(({ id }) => id).join('')).toBe(group);
});

test('a command that does not share is a group of one, and is not in the groups of others', () => {
  const waiting = [new Item('a', false), new Item('b'), new Item('c', false), new Item('d')];
  expect(nextGroup(waiting, new Set(), true).map(({ id }) => id)).toEqual(['b', 'd']);
  expect(nextGroup(waiting, new Set(), false).map(({ id }) => id)).toEqual(['a']);
});

test('a group has at most 256 commands', () => {
  const waiting = Array.from({ length: 600 }, (_, index) => new Item(`${index}`));
  expect(nextGroup(waiting, new Set(), true)).toHaveLength(256);
});

test('what arrives in one turn goes together; what arrives while two are under way goes together next', async () => {
  const { queue, begun, ids } = groups();
  for (const item of items('ab')) queue.add(item);
  await turn();
  for (const item of items('c')) queue.add(item);
  await turn();
  for (const item of items('ded')) queue.add(item);
  await turn();
  expect(ids()).toEqual(['ab', 'c']);
  begun[0]?.end();
  await turn();
  expect(ids()).toEqual(['ab', 'c', 'de']);
  begun[1]?.end();
  await turn();
  // The duplicate request waits until the command that it repeats has ended.
  expect(ids()).toEqual(['ab', 'c', 'de']);
  begun[2]?.end();
  await turn();
  expect(ids()).toEqual(['ab', 'c', 'de', 'd']);
});

test('commands that do not share are beside the groups, at most four', async () => {
  const { queue, ids } = groups();
  for (const item of items('uvwxyz', false)) queue.add(item);
  for (const item of items('ab')) queue.add(item);
  await turn();
  expect(ids()).toEqual(['ab', 'u', 'v', 'w', 'x']);
});

test('a group that yields its turn does not hold up the others, and gives it up once', async () => {
  const { queue, begun, ids } = groups();
  for (const name of 'abcde') {
    queue.add(new Item(name));
    await turn();
  }
  begun[0]?.yieldTurn();
  begun[0]?.yieldTurn();
  await turn();
  expect(ids()).toEqual(['a', 'b', 'cde']);
  begun[0]?.end();
  queue.add(new Item('f'));
  await turn();
  expect(ids()).toEqual(['a', 'b', 'cde']);
});

test('what found a row locked comes back, holds up nobody meanwhile, and counts as waiting', async () => {
  const { queue, begun, ids } = groups(1);
  const [locked = new Item('')] = items('a');
  queue.add(locked);
  await turn();
  queue.comeBack(locked, 1);
  begun[0]?.end();
  const refused = new Item('b');
  queue.add(refused);
  expect(refused.failure).toMatchObject({ slug: 'overloaded' });
  while (begun.length < 2) await turn();
  expect(ids()).toEqual(['a', 'a']);
});

test('what was answered meanwhile, for example at its deadline, waits no longer', async () => {
  const { queue, begun, ids } = groups(2);
  for (const name of 'ab') {
    queue.add(new Item(name));
    await turn();
  }
  const waiting = items('cd');
  for (const item of waiting) queue.add(item);
  waiting[0]?.fail(new Error('late'));
  queue.add(new Item('e'));
  begun[0]?.end();
  await turn();
  expect(ids()).toEqual(['a', 'b', 'de']);
});
