import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import type { Random } from './random';
import { livePrefix } from './redis-dump';
import { repairByHand } from './resync-by-hand';
import type { Stage } from './stage';

const REPAIR_WITHIN_MS = 90_000;
/**
 * Two log positions of another history within a minute make a service stop rebuilding: it takes them for a copy of the
 * database on the same Redis. So the torture invents one less often than that, with time to spare.
 */
const DIVERGED_EVERY_MS = 90_000;
/** The longest time for which a fencing lock is valid, and one far beyond it. */
const LONGEST_FENCE_MS = 5_000;
const HOUR_MS = 3_600_000;

/** What is damaged: a key, or one field of a checkpoint. */
export interface Target {
  key: string;
  field?: string;
}

/** Fields of a checkpoint on which it depends whether, and where, the generation is read. */
const POSITION_FIELDS = ['at', 'begun', 'ended'];
const FENCE_FIELDS = ['fence', 'fence_until'];

/** How a key of the live read model is damaged. */
export const DAMAGES = {
  async delete({ redis }: Stage, _: Random, { key, field }: Target): Promise<void> {
    await (field === undefined ? redis.del(key) : redis.hdel(key, field));
  },

  async change(stage: Stage, random: Random, { key, field }: Target): Promise<void> {
    const { redis, root } = stage;
    if (field !== undefined) return changeCheckpoint(stage, random, key, field);
    if (key === `${root}:live`) {
      await redis.set(key, random.pick(['', '7', 'no such generation']));
      return;
    }
    switch (await redis.type(key)) {
      case 'string':
        await redis.set(key, random.pick(['7', 'x', '']));
        return;
      case 'hash': {
        const fields = [
          'orders',
          'units',
          'revenue',
          'items',
          'items_count',
          'user_id',
          'name',
          'unexpected',
        ];
        await redis.hset(key, random.pick(fields), random.pick([random.int(0, 99), 'x', '-1.5']));
        return;
      }
      case 'zset': {
        const members = [`0${random.int(0, 9)}`, 'x', ''];
        await redis.zadd(key, random.pick([-5, 12, 7777, '-inf']), random.pick(members));
        return;
      }
      case 'set':
        await redis.sadd(key, random.pick([random.int(0, 99_999), 'x']));
        return;
      default:
    }
  },

  async retype({ redis }: Stage, _: Random, { key }: Target): Promise<void> {
    await redis.multi().del(key).rpush(key, 'a list').exec();
  },
};

type Kind = keyof typeof DAMAGES;

/** A key of the live generation, its checkpoint, the pointer to it, or a lease; undefined where there is nothing to damage. */
export async function pickTarget(stage: Stage, random: Random, kind: Kind): Promise<Target | undefined> {
  const { redis, root } = stage;
  const start = await livePrefix(redis, root);
  const checkpoint = `${start}checkpoint`;
  const keys = (await redis.keys(`${start}*`)).filter((name) => name !== checkpoint);
  // Among thousands of orders, the few keys on which all depends would hardly ever be hit.
  const rare = keys.filter((name) => !/\}:(order:|user:\d+$|product:\d+$)/.test(name));
  const hot = keys.filter((name) => /\}:(totals|products:\w+|users:spent|product:1:sold)$/.test(name));
  const target = random.pick([
    random.pick([{ key: `${root}:live` }, ...targetsIn(checkpoint, kind, POSITION_FIELDS)]),
    random.pick([
      { key: `${root}:resync` },
      { key: `${root}:verification` },
      ...targetsIn(checkpoint, kind, FENCE_FIELDS),
    ]),
    ...oneOf(random, keys),
    ...oneOf(random, rare),
    ...oneOf(random, hot),
  ]);
  // A lease can become a list whether it is held or not. Anything else that does not exist would be a key of nobody's.
  const isLease = kind === 'retype' && target.key === `${root}:resync`;
  return isLease || (await redis.exists(target.key)) === 1 ? target : undefined;
}

function targetsIn(key: string, kind: Kind, fields: string[]): Target[] {
  const ofFields = fields.map((field) => ({ key, field }));
  return kind === 'retype' ? [{ key }] : kind === 'delete' ? [{ key }, ...ofFields] : ofFields;
}

function oneOf(random: Random, keys: string[]): Target[] {
  return keys.length === 0 ? [] : [{ key: random.pick(keys) }];
}

/** Which keys may be wrong because this one is; undefined for all of them. */
export function keysSpoiltBy({ root }: Stage, { key, field }: Target): string[] | undefined {
  if (key === `${root}:live`) return undefined;
  const isCheckpoint = key.endsWith('}:checkpoint');
  if (isCheckpoint && (field === undefined || POSITION_FIELDS.includes(field))) return undefined;
  // A block that is empty leaves the index of blocks when the next order in it is deleted.
  const [, index] = /^(.*\}:orders):\d+$/.exec(key) ?? [];
  return index === undefined ? [key] : [key, index];
}

/** Repairs as an operator would, until it succeeds. After that the read model must be right, and `window` ends. */
export async function repairDamage(stage: Stage, window: { to: number }): Promise<void> {
  const { history } = stage;
  if (!stage.repairsDamage) return;
  const deadline = performance.now() + REPAIR_WITHIN_MS;
  for (;;) {
    const { code, output } = await repairByHand(stage);
    history.notes.push(`at ${history.now()} repair: exit ${code}: ${output}`);
    if (code === 0) break;
    if (performance.now() > deadline) {
      history.violated(`repair did not succeed within ${REPAIR_WITHIN_MS / 1000} s: ${output}`);
      break;
    }
    await delay(100);
  }
  window.to = history.now();
}

async function changeCheckpoint(stage: Stage, random: Random, key: string, field: string): Promise<void> {
  const { redis } = stage;
  switch (field) {
    case 'at':
      await redis.hset(key, field, await wrongPosition(stage, random));
      return;
    case 'fence':
      // A lock that is valid, and that nobody gives back.
      await redis.hset(key, { fence: 'nobody', fence_until: Date.now() + random.int(0, LONGEST_FENCE_MS) });
      return;
    case 'fence_until':
      // A lock that would hold for ever, if it were one.
      await redis.hset(key, { fence: 'nobody', fence_until: random.pick(['x', Date.now() + HOUR_MS]) });
      return;
    default:
      await redis.hset(key, field, random.pick(['', 'x', random.int(0, 9999)]));
  }
}

const divergedAt = new WeakMap<Stage, number>();

/** Whether the read model may come to be of another history now; then it is taken down that it does. */
export function mayDiverge(stage: Stage): boolean {
  const now = performance.now();
  if (now - (divergedAt.get(stage) ?? -Infinity) < DIVERGED_EVERY_MS) return false;
  divergedAt.set(stage, now);
  return true;
}

/** The services were started anew, and remember no other history. */
export function forgetDivergence(stage: Stage): void {
  divergedAt.delete(stage);
}

/** A position that is not the model's: some events before, of another history, or none at all. */
async function wrongPosition(stage: Stage, random: Random): Promise<string> {
  const nonsense = random.pick(['not a position', 'filling:nobody:1']);
  const sql = random.chance(0.3) ? undefined : await stage.connect().catch(() => undefined);
  if (sql === undefined) return nonsense;
  try {
    const [rows] = await sql.query<RowDataPacket[]>(
      'SELECT position, LOWER(HEX(event_id)) AS id FROM order_events ORDER BY position DESC LIMIT ?, 1',
      [random.int(1, 20)],
    );
    const [event] = rows;
    if (event === undefined) return nonsense;
    if (random.chance(0.7) || !mayDiverge(stage)) return `${event.position}:${event.id}`;
    return `${Math.max(1, event.position + random.int(-5, 40))}:${randomBytes(16).toString('hex')}`;
  } finally {
    sql.destroy();
  }
}
