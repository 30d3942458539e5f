import { Redis } from 'ioredis';
import { eventId, logId, orderId, positionOf, productId, userId } from '../src/domain/ids';
import { formatLogPosition, type LogPosition } from '../src/domain/log-position';
import { advance, meaningOf, type Advance, type Meaning, type Step } from '../src/read-model/advance';
import { Changes } from '../src/read-model/changes';
import { beginFilling, fillingAt, readCheckpoint } from '../src/read-model/checkpoint';
import { collect } from '../src/read-model/collect';
import { FENCE_MS, releaseFence, takeFence } from '../src/read-model/fence';
import { KeySpace, type Keys } from '../src/read-model/keys';
import type { Operation } from '../src/read-model/operations';
import { promote } from '../src/read-model/promote';
import { repairOf } from '../src/read-model/repair';
import { Lease } from '../src/redis/lease';
import { privateRedis } from './support/private-redis';
import { keysOf } from './support/tally';

const at = (position: number, letter: string): LogPosition => ({
  position: positionOf(position),
  eventId: eventId(letter.repeat(32)),
});
const text = (position: number, letter: string) => formatLogPosition(at(position, letter));

describe('what an answer means to whoever brings the events after 1:a up to 3:c', () => {
  test.each<[string, Advance, Meaning]>([
    ['it was done now', { status: 'advanced', detail: '' }, { kind: 'reached', by: 'this' }],
    [
      'it was done before, and the answer was lost',
      { status: 'elsewhere', detail: text(3, 'c') },
      { kind: 'reached', by: 'others' },
    ],
    [
      'others did the first part',
      { status: 'elsewhere', detail: text(2, 'b') },
      { kind: 'overlap', at: at(2, 'b') },
    ],
    [
      'others are further: this history or another one',
      { status: 'elsewhere', detail: text(9, 'f') },
      { kind: 'ahead', at: at(9, 'f') },
    ],
    [
      'events before are missing',
      { status: 'elsewhere', detail: text(0, 'e') },
      { kind: 'behind', at: at(0, 'e') },
    ],
    [
      'another event at the expected position',
      { status: 'elsewhere', detail: text(1, 'f') },
      { kind: 'diverged', detail: text(1, 'f') },
    ],
    [
      'another event at the next position',
      { status: 'elsewhere', detail: text(3, 'f') },
      { kind: 'diverged', detail: text(3, 'f') },
    ],
    [
      'a checkpoint that was edited by hand',
      { status: 'elsewhere', detail: 'nonsense' },
      { kind: 'missing', detail: 'nonsense' },
    ],
    [
      'a generation that is being filled',
      { status: 'elsewhere', detail: 'filling:t:3' },
      { kind: 'missing', detail: 'filling:t:3' },
    ],
    ['no checkpoint, or half a write', { status: 'missing', detail: '' }, { kind: 'missing', detail: '' }],
    ['an operation failed', { status: 'broken', detail: 'why' }, { kind: 'broken', detail: 'why' }],
    ['a repair is at it', { status: 'fenced', detail: text(1, 'a') }, { kind: 'fenced' }],
    [
      'Redis is full',
      { status: 'out-of-memory', detail: 'Redis is out of memory' },
      { kind: 'out-of-memory' },
    ],
  ])('%s', (_, answer, meaning) => {
    expect(meaningOf(answer, at(1, 'a'), at(3, 'c'))).toEqual(meaning);
  });
});

const PREFIX = `advance${process.pid}`;
const product = productId(1);
let redis: Redis;
let serial = 0;
let space: KeySpace;
let keys: Keys;

beforeAll(() => {
  redis = new Redis(process.env.REDIS_URL ?? '');
});

beforeEach(async () => {
  serial += 1;
  space = new KeySpace(PREFIX, logId(String(serial).padStart(12, '0').padEnd(32, 'a')));
  keys = space.generation('g');
  await redis.hset(keys.checkpoint, { at: text(1, 'a'), begun: 7, ended: 7 });
});

afterAll(async () => {
  const all = await keysOf(redis, PREFIX);
  if (all.length > 0) await redis.del(all);
  redis.disconnect();
});

function encoded(operations: Operation[]): string {
  const changes = new Changes();
  for (const operation of operations) changes.add(operation);
  return changes.encode();
}

const sale = () => encoded([{ kind: 'count', key: keys.productSold(product), by: 5 }]);
const step = (rest: Partial<Step> = {}): Step => ({
  expected: text(1, 'a'),
  next: text(3, 'c'),
  operations: sale(),
  ...rest,
});
const sold = () => redis.get(keys.productSold(product));

describe('advance.lua', () => {
  test('changes the data and the checkpoint together, and is counted at both ends', async () => {
    expect(await advance(redis, keys, step())).toEqual({ status: 'advanced', detail: '' });
    expect(await redis.hgetall(keys.checkpoint)).toEqual({ at: text(3, 'c'), begun: '8', ended: '8' });
    expect(await sold()).toBe('5');
  });

  test('a step that is sent again, or expects something else, changes nothing and says where the checkpoint is', async () => {
    await advance(redis, keys, step());
    expect(await advance(redis, keys, step())).toEqual({ status: 'elsewhere', detail: text(3, 'c') });
    expect(await sold()).toBe('5');
  });

  test.each([
    ['no checkpoint', () => redis.del(keys.checkpoint)],
    ['half a write', () => redis.hincrby(keys.checkpoint, 'begun', 1)],
    [
      'a checkpoint of another type',
      () => redis.multi().del(keys.checkpoint).rpush(keys.checkpoint, 'x').exec(),
    ],
  ])('%s is not a complete generation: nobody reads or writes it', async (_, damage) => {
    await damage();
    expect(await advance(redis, keys, step())).toMatchObject({ status: 'missing' });
    expect(await readCheckpoint(redis, keys)).toBeUndefined();
    expect(await sold()).toBeNull();
  });

  test('only the holder of the fencing lock advances, until it is given back', async () => {
    expect(await takeFence(redis, keys, 'token')).toBe(true);
    expect(await takeFence(redis, keys, 'other')).toBe(false);
    expect(await advance(redis, keys, step())).toMatchObject({ status: 'fenced' });
    expect(await advance(redis, keys, step({ fenceToken: 'token' }))).toMatchObject({ status: 'advanced' });
    await releaseFence(redis, keys, 'other');
    const next = step({ expected: text(3, 'c'), next: text(4, 'd') });
    expect(await advance(redis, keys, next)).toMatchObject({ status: 'fenced' });
    await releaseFence(redis, keys, 'token');
    expect(await advance(redis, keys, next)).toMatchObject({ status: 'advanced' });
  });

  test.each([
    ['no number', () => 'soon'],
    ['over', (now: number) => String(now - 1)],
    ['further ahead than any lock', (now: number) => String(now + 2 * FENCE_MS)],
  ])('a fencing lock whose time is %s is none', async (_, untilMs) => {
    const [seconds] = await redis.time();
    await redis.hset(keys.checkpoint, 'fence', 'x', 'fence_until', untilMs(Number(seconds) * 1000));
    expect(await advance(redis, keys, step())).toMatchObject({ status: 'advanced' });
  });

  test('an operation that fails half-way takes the generation out of use', async () => {
    await redis.set(keys.totals(), 'not a hash');
    const operations = encoded([
      { kind: 'count', key: keys.productSold(product), by: 5 },
      { kind: 'count-field', key: keys.totals(), field: 'orders', by: 1 },
    ]);
    const { status, detail } = await advance(redis, keys, step({ operations }));
    expect([status, detail]).toEqual(['broken', expect.stringContaining('WRONGTYPE')]);
    expect(await redis.exists(keys.checkpoint)).toBe(0);
  });

  test('a full memory is said before anything is changed, and is no reason to give the generation up', async () => {
    const own = await privateRedis();
    try {
      await own.client.hset(keys.checkpoint, { at: text(1, 'a'), begun: 0, ended: 0 });
      await own.client.config('SET', 'maxmemory', '1');
      expect(await advance(own.client, keys, step())).toMatchObject({ status: 'out-of-memory' });
      expect(await own.client.hget(keys.checkpoint, 'begun')).toBe('0');
      await own.client.config('SET', 'maxmemory', '0');
      expect(await advance(own.client, keys, step())).toMatchObject({ status: 'advanced' });
    } finally {
      await own.stop();
    }
  });

  test('a counter, field or member exists exactly when it is not zero', async () => {
    const sales = (by: number) =>
      encoded([
        { kind: 'count', key: keys.productSold(product), by },
        { kind: 'count-field', key: keys.totals(), field: 'orders', by },
        { kind: 'rank', key: keys.usersSpent, member: '05', by },
      ]);
    await advance(redis, keys, step({ operations: sales(7) }));
    expect(await redis.zscore(keys.usersSpent, '05')).toBe('-7');
    await advance(redis, keys, step({ expected: text(3, 'c'), next: text(4, 'd'), operations: sales(-7) }));
    expect(await redis.exists(keys.productSold(product), keys.totals(), keys.usersSpent)).toBe(0);
  });

  test('an order that is created and deleted leaves nothing behind', async () => {
    const id = orderId(513);
    const listed = (isListed: boolean): Operation[] => [
      { kind: 'hash', key: keys.order(id), fields: isListed ? { id: '513' } : null },
      { kind: 'block', key: keys.orderBlock(1), id, listed: isListed, index: keys.orderBlocks, block: 1 },
      { kind: 'list', key: keys.userOrders(userId(1)), id, listed: isListed },
    ];
    await advance(redis, keys, step({ operations: encoded(listed(true)) }));
    expect(await redis.zrange(keys.orderBlocks, '0', '-1')).toEqual(['1']);
    const next = step({ expected: text(3, 'c'), next: text(4, 'd'), operations: encoded(listed(false)) });
    await advance(redis, keys, next);
    expect(await redis.keys(`${keys.prefix}*`)).toEqual([keys.checkpoint]);
  });

  test('a repair is written at the position that it was computed for, or not at all', async () => {
    const operations = repairOf(keys.productSold(product), { type: 'string', value: '9' }, { type: 'none' });
    const repair = (where: string) => advance(redis, keys, { expected: where, next: where, operations });
    expect(await repair(text(0, 'a'))).toMatchObject({ status: 'elsewhere' });
    expect(await sold()).toBeNull();
    expect(await repair(text(1, 'a'))).toMatchObject({ status: 'advanced' });
    expect(await sold()).toBe('9');
  });

  test('a script that Redis forgets at every moment is sent again', async () => {
    for (let n = 1; n <= 20; n++) {
      const forgetting = redis.script('FLUSH');
      const stepping = advance(redis, keys, step({ expected: text(n, 'a'), next: text(n + 1, 'a') }));
      await forgetting;
      expect(await stepping).toMatchObject({ status: 'advanced' });
    }
    expect(await sold()).toBe('100');
  });
});

describe('a new generation', () => {
  test('every chunk is written once and in turn, and the last one makes it complete', async () => {
    const built = space.generation('built');
    await beginFilling(redis, built, 'token');
    const operations = encoded([{ kind: 'count', key: built.productSold(product), by: 5 }]);
    const chunk = (n: number, token = 'token') =>
      advance(redis, built, { expected: fillingAt(token, n), next: fillingAt(token, n + 1), operations });
    expect(await chunk(0)).toMatchObject({ status: 'advanced' });
    expect(await chunk(0)).toMatchObject({ status: 'elsewhere', detail: fillingAt('token', 1) });
    expect(await chunk(2)).toMatchObject({ status: 'elsewhere' });
    expect(await chunk(1, 'other')).toMatchObject({ status: 'elsewhere' });
    expect(await readCheckpoint(redis, built)).toBeUndefined();
    await advance(redis, built, { expected: fillingAt('token', 1), next: text(1, 'a'), operations: '[]' });
    expect(await readCheckpoint(redis, built)).toEqual(at(1, 'a'));
    expect(await redis.get(built.productSold(product))).toBe('5');
  });

  test('goes live once, never with less than the old one has, which is out of use from then on', async () => {
    await redis.set(space.live, 'g');
    const next = space.generation('n');
    const status = async (from: Keys | undefined) => (await promote(redis, space, next, from)).status;
    expect(await status(keys)).toBe('missing');
    await redis.hset(next.checkpoint, { at: text(0, 'c'), begun: 0, ended: 0 });
    expect(await status(keys)).toBe('behind');
    await redis.hset(next.checkpoint, { at: text(2, 'c') });
    expect(await status(undefined)).toBe('overtaken');
    expect(await status(keys)).toBe('promoted');
    expect(await status(keys)).toBe('promoted');
    expect(await redis.get(space.live)).toBe('n');
    expect(await readCheckpoint(redis, keys)).toBeUndefined();
    expect(await advance(redis, keys, step())).toMatchObject({ status: 'missing' });
  });
});

describe('collection', () => {
  test('removes what is not in use, under the lease alone', async () => {
    await redis.set(space.live, 'live');
    for (const id of ['live', 'unused']) {
      const generation = space.generation(id);
      await redis.hset(generation.checkpoint, { at: text(1, 'a'), begun: 0, ended: 0 });
      await redis.set(generation.productSold(product), '1');
    }
    const lease = await Lease.take(redis, space.lease, () => 'test');
    const collected = (id: string, lostAt = '', leaseToken = lease?.token ?? '') =>
      collect(redis, space, space.generation(id), { leaseToken, lostAt, onProgress: () => undefined });
    try {
      expect(await Lease.take(redis, space.lease, () => 'another')).toBeUndefined();
      expect(await collected('unused', '', 'not the lease')).toBe(false);
      expect(await collected('unused')).toBe(true);
      expect(await redis.keys(`${space.generation('unused').prefix}*`)).toEqual([]);
      // A live one only where it is lost: as long as its checkpoint is what was found to be of another history.
      expect(await collected('live')).toBe(false);
      expect(await collected('live', text(9, 'f'))).toBe(false);
      expect(await collected('live', text(1, 'a'))).toBe(true);
      await redis.hset(space.generation('live').checkpoint, { at: 'nonsense', begun: 0, ended: 0 });
      expect(await collected('live')).toBe(true);
    } finally {
      await lease?.release();
    }
    expect(await redis.exists(space.lease)).toBe(0);
  });
});
