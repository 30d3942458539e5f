import { setTimeout as delay } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import type { Random } from './random';
import { repairByHand } from './resync-by-hand';
import type { Stage } from './stage';

const MEND_WITHIN_MS = 90_000;

/** How a key of the live read model can be spoilt. */
export const DAMAGES = {
  async delete({ redis }: Stage, _: Random, key: string): Promise<void> {
    await redis.del(key);
  },
  async change(stage: Stage, random: Random, key: string): Promise<void> {
    const { redis } = stage;
    switch (await redis.type(key)) {
      case 'string':
        await redis.set(
          key,
          key.endsWith(':applied') ? await wrongTip(stage, random) : random.pick(['7', 'x']),
        );
        return;
      case 'hash':
        await redis.hset(
          key,
          random.pick(['orders', 'units', 'user_id', 'name', 'stray']),
          random.int(0, 99),
        );
        return;
      case 'zset':
        await redis.zadd(key, random.pick([-5, 12, 7777]), `0${random.int(0, 9)}`);
        return;
      case 'set':
        await redis.sadd(key, random.int(0, 99_999));
        return;
      default:
    }
  },
  async retype({ redis }: Stage, _: Random, key: string): Promise<void> {
    await redis.multi().del(key).rpush(key, 'a list').exec();
  },
};

/** A key of the live generation, the pointer to it, or a lock; undefined where there is none to be spoilt. */
export async function pickKey(
  { redis, prefix }: Stage,
  random: Random,
  kind: keyof typeof DAMAGES,
): Promise<string | undefined> {
  const pointer = `${prefix}:live:1`;
  const generation = await redis.get(pointer).catch(() => null); // it may be a list by now
  const start = `{${prefix}:${generation}}:`;
  const keys = (await redis.keys(`${start}*`)).filter((name) => !/:(keeper|fence)$/.test(name));
  // Among thousands of orders, the few keys on which all depends would hardly ever be hit.
  const rare = keys.filter((name) => !/\}:(order:|user:\d+$|product:\d+$)/.test(name));
  const hot = keys.filter((name) => /\}:(totals|products:\w+|users:spent|product:1:sold)$/.test(name));
  const bookkeeping = [`${prefix}:work:1`, `${prefix}:verification:1`, `${start}fence`, `${start}keeper`];
  const key = random.pick([
    random.pick([pointer, `${start}applied`]),
    random.pick(bookkeeping),
    ...oneOf(random, keys),
    ...oneOf(random, rare),
    ...oneOf(random, hot),
  ]);
  // A lock can become a list whether it is held or not; what is not there can neither be deleted nor changed.
  return kind === 'retype' || (await redis.exists(key)) === 1 ? key : undefined;
}

/** Whether a wrong value there makes others wrong. */
export function spoilsAll({ prefix }: Stage, key: string): boolean {
  return key === `${prefix}:live:1` || /:(applied|writes|building)$/.test(key);
}

function oneOf(random: Random, keys: string[]): string[] {
  return keys.length === 0 ? [] : [random.pick(keys)];
}

/**
 * Repairs as an operator would, until it succeeds. After that the read model must be right, and `window` ends.
 */
export async function mend(stage: Stage, window: { to: number }): Promise<void> {
  const { history } = stage;
  if (!stage.mendsDamage) return;
  const deadline = performance.now() + MEND_WITHIN_MS;
  for (;;) {
    const { code, output } = await repairByHand(stage);
    history.notes.push(`at ${history.now()} repair: exit ${code}: ${output}`);
    if (code === 0) break;
    if (performance.now() > deadline) {
      history.violated(`repair did not succeed within ${MEND_WITHIN_MS / 1000} s: ${output}`);
      break;
    }
    await delay(100);
  }
  window.to = history.now();
}

/** A tip that is not the model's: of no history, or some events before. */
async function wrongTip(stage: Stage, random: Random): Promise<string> {
  const sql = random.chance(0.3) ? undefined : await stage.connect().catch(() => undefined);
  if (sql === undefined) return 'not a tip';
  try {
    const [rows] = await sql.query<RowDataPacket[]>(
      'SELECT position, LOWER(HEX(command_id)) AS id FROM order_events ORDER BY position DESC LIMIT ?, 1',
      [random.int(1, 20)],
    );
    return rows[0] === undefined ? 'not a tip' : `${rows[0].position}:${rows[0].id}`;
  } finally {
    sql.destroy();
  }
}
