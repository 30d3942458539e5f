import { Redis } from 'ioredis';
import type { LoggedEvent } from '../src/domain/events';
import { eventId, instantAt, logId, orderId, positionOf, productId, userId } from '../src/domain/ids';
import { formatLogPosition, type LogPosition } from '../src/domain/log-position';
import { openDatabases, type Databases } from '../src/mysql/pool';
import { applyEvents, type Applying } from '../src/projections/projector/apply-events';
import { RecentHistory } from '../src/projections/projector/recent-history';
import { readCheckpoint } from '../src/read-model/checkpoint';
import { KeySpace, type Keys } from '../src/read-model/keys';
import { keysOf, newPlace, type Place } from './support/place';

const idOf = (position: number) => eventId(String(position).padStart(32, '0'));
const at = (position: number): LogPosition => ({ position: positionOf(position), eventId: idOf(position) });

/** An order of one unit at each position. */
const sale = (position: number): LoggedEvent => {
  const createdAt = instantAt(Date.UTC(2026, 0, 1));
  const lines = [{ productId: productId(1), quantity: 1, unitPrice: 100n }];
  return {
    ...at(position),
    occurredAt: createdAt,
    event: {
      type: 'OrderCreated',
      order: { orderId: orderId(position), userId: userId(1), total: 100n, createdAt, lines },
    },
  };
};

const EVENTS = Array.from({ length: 400 }, (_, index) => sale(index + 1));

let place: Place;
let databases: Databases;
let redis: Redis;
let keys: Keys;
let serial = 0;

beforeAll(async () => {
  place = await newPlace();
  databases = openDatabases(place.config);
  redis = new Redis(place.config.REDIS_URL);
});

afterAll(async () => {
  const all = await keysOf(redis, place.prefix);
  if (all.length > 0) await redis.del(all);
  redis.disconnect();
  await databases.close();
  await place.close();
});

/** A generation to which the first events were applied already. */
async function generationAt(applied: number): Promise<Applying> {
  keys = new KeySpace(place.prefix, logId('a'.repeat(32))).generation(`g${++serial}`);
  await redis.hset(keys.checkpoint, { at: formatLogPosition(at(0)), begun: 0, ended: 0 });
  const applying = { redis, keys, history: new RecentHistory(databases.reads) };
  await applyEvents(applying, at(0), EVENTS.slice(0, applied));
  return applying;
}

const units = async () => Number(await redis.get(keys.productSold(productId(1))));

test.each([
  ['nothing', 0],
  ['a part of the first script’s events', 10],
  ['all of the first script’s events, and a part of the second’s', 150],
  ['all but one', 399],
  ['all', 400],
])('where others have applied %s, the rest is applied once', async (_, before) => {
  const applying = await generationAt(before);
  const progress = await applyEvents(applying, at(0), EVENTS);
  expect(progress).toEqual({ kind: 'at', at: at(400), applied: 400 - before });
  expect(await units()).toBe(400);
  expect(await readCheckpoint(redis, keys)).toEqual(at(400));
});

test('events before them are missing', async () => {
  const applying = await generationAt(10);
  expect(await applyEvents(applying, at(20), EVENTS.slice(20))).toEqual({ kind: 'behind', applied: 0 });
  expect(await units()).toBe(10);
});

test('another event at a position of theirs: the generation is of another history', async () => {
  const applying = await generationAt(10);
  const other = { ...at(5), eventId: eventId('f'.repeat(32)) };
  await redis.hset(keys.checkpoint, 'at', formatLogPosition(other));
  await expect(applyEvents(applying, at(0), EVENTS)).rejects.toMatchObject({ reason: 'diverged' });
});
