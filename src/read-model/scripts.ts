import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { formatTip, type Tip } from '../domain/events';
import type { Changes } from './changes';
import type { Content } from './inspect';
import { blockOf, liveKey, type Keys, type Period } from './keys';
import type { Reading } from './reading';
import { isOutOfMemory, isWrongType } from '../redis/client';

function lua(name: string): string {
  return readFileSync(join(__dirname, 'scripts', `${name}.lua`), 'utf8');
}

/** `#!lua` makes Redis refuse the whole script when memory is full, instead of failing in the middle of it. */
function writing(...names: string[]): string {
  return ['#!lua', lua('complete'), ...names.map(lua)].join('\n');
}

/** Carried out when memory is full, too. */
function reading(name: string): { lua: string; readOnly: true } {
  return { lua: ['#!lua flags=no-writes', lua('complete'), lua(name)].join('\n'), readOnly: true };
}

const SCRIPTS: Record<string, { numberOfKeys?: number; lua: string; readOnly?: boolean }> = {
  tallyApply: { numberOfKeys: 3, lua: writing('operations', 'apply') },
  tallyFill: { numberOfKeys: 2, lua: writing('operations', 'fill') },
  tallyFinish: { numberOfKeys: 2, lua: lua('finish') },
  tallyFlip: { numberOfKeys: 4, lua: writing('flip') },
  tallyRestore: { numberOfKeys: 2, lua: writing('restore') },
  tallyTakeLock: { numberOfKeys: 1, lua: lua('take-lock') },
  tallyReleaseIfMine: { numberOfKeys: 1, lua: lua('release-if-mine') },
  tallyDigest: { numberOfKeys: 2, ...reading('digest') },
  tallyRead: reading('read'),
  tallyTopProducts: { numberOfKeys: 4, ...reading('top-products') },
  tallyTopOfPeriods: reading('top-of-periods'),
  tallyTopUsers: { numberOfKeys: 3, ...reading('top-users') },
  tallyListOrders: { numberOfKeys: 3, ...reading('list-orders') },
};

/** Every status that a script of Tally returns; each script's header says which and when. */
type Status =
  'applied' | 'already' | 'overlap' | 'behind' | 'missing' | 'foreign' | 'fenced' | 'oom' | 'broken';

export interface Outcome {
  status: Status;
  /** What `applied` is now, or what went wrong. */
  detail: string;
}

type Argument = string | number;

/** A Redis client that knows Tally's scripts. */
export interface ScriptedRedis extends Redis {
  tallyApply(...args: Argument[]): Promise<[Status, string]>;
  tallyFill(...args: Argument[]): Promise<[Status, string]>;
  tallyFinish(...args: Argument[]): Promise<[Status, string]>;
  tallyFlip(...args: Argument[]): Promise<[Status, string]>;
  tallyRestore(...args: Argument[]): Promise<[Status, string]>;
  tallyTakeLock(...args: Argument[]): Promise<number>;
  tallyReleaseIfMine(...args: Argument[]): Promise<number>;
  tallyDigest(...args: Argument[]): Promise<[string | null, string]>;
  /** The number of keys comes first. */
  tallyRead(...args: Argument[]): Promise<string>;
  tallyTopProducts(...args: Argument[]): Promise<string>;
  /** The number of keys comes first. */
  tallyTopOfPeriods(...args: Argument[]): Promise<string>;
  tallyTopUsers(...args: Argument[]): Promise<string>;
  tallyListOrders(...args: Argument[]): Promise<string>;
}

/** What a reading script says of a value that there is not: nil. */
export type Absent = false;

/** Takes a lock that expires by itself; see `scripts/take-lock.lua`. @returns false where another holds it. */
export async function takeLock(
  redis: ScriptedRedis,
  key: string,
  value: string,
  ttlMs: number,
): Promise<boolean> {
  return (await redis.tallyTakeLock(key, value, ttlMs)) === 1;
}

/** A command that reads one key: its name, the key, further arguments. */
export type ReadCommand = ['HMGET' | 'ZRANGE' | 'ZMSCORE', string, ...string[]];

/** Replies in the order of the commands, with `Absent` for nil; see `scripts/read.lua`. */
export async function readTogether(
  redis: ScriptedRedis,
  keys: Keys,
  commands: ReadCommand[],
): Promise<Reading<unknown[]>> {
  const args = commands.flatMap(([name, , ...rest]) => [rest.length, name, ...rest]);
  const text = await redis.tallyRead(
    commands.length + 2,
    keys.applied,
    keys.writes,
    ...commands.map(([, key]) => key),
    ...args,
  );
  const [applied, ...value] = JSON.parse(text) as [string | Absent, ...unknown[]];
  return applied === false ? { applied: null } : { applied, value };
}

/** What products are ranked by. */
export type Measure = 'sold' | 'revenue';

/** Member, score, score in the other ranking, name, SKU; scores are negated, and sums of them are. */
export type TopProduct = [string, string, string | Absent, string, string];

/** The best-selling products of one period, or of all time; see `scripts/top-products.lua`. */
export async function topProducts(
  redis: ScriptedRedis,
  keys: Keys,
  { period, measure, limit }: { period?: Period | undefined; measure: Measure; limit: number },
): Promise<Reading<TopProduct[]>> {
  const text = await redis.tallyTopProducts(
    keys.applied,
    keys.writes,
    keys.productRanking(measure, period),
    keys.productRanking(otherMeasure(measure), period),
    limit,
    keys.product(''),
  );
  return readingOf(JSON.parse(text) as [Absent] | [string, TopProduct[]]);
}

export interface PeriodsQuery {
  periods: Period[];
  measure: Measure;
  limit: number;
  /** How many members of each ranking are read, at least as many as products. */
  depth: number;
  /** How many members of the rankings may be read or looked up before it is too much. */
  maxMembers: number;
}

/** The best-selling products of several periods together, or why they are not told; see `scripts/top-of-periods.lua`. */
export async function topProductsOfPeriods(
  redis: ScriptedRedis,
  keys: Keys,
  { periods, measure, limit, depth, maxMembers }: PeriodsQuery,
): Promise<Reading<TopProduct[] | 'deeper' | 'too much'>> {
  const text = await redis.tallyTopOfPeriods(
    2 * periods.length + 2,
    keys.applied,
    keys.writes,
    ...periods.map((period) => keys.productRanking(measure, period)),
    ...periods.map((period) => keys.productRanking(otherMeasure(measure), period)),
    limit,
    depth,
    keys.product(''),
    maxMembers,
  );
  return readingOf(JSON.parse(text) as [Absent] | [string, TopProduct[] | 'deeper' | 'too much']);
}

export function otherMeasure(measure: Measure): Measure {
  return measure === 'sold' ? 'revenue' : 'sold';
}

/** Member, negated score, number of orders, name. */
export type TopUser = [string, string, number, string];

/** The users who spent most; see `scripts/top-users.lua`. */
export async function topUsers(redis: ScriptedRedis, keys: Keys, limit: number): Promise<Reading<TopUser[]>> {
  // A user's orders are `user:5:orders`: prefix, id, suffix.
  const suffix = keys.userOrders('').slice(keys.user('').length);
  const text = await redis.tallyTopUsers(
    keys.applied,
    keys.writes,
    keys.usersSpent,
    limit,
    keys.user(''),
    suffix,
  );
  return readingOf(JSON.parse(text) as [Absent] | [string, TopUser[]]);
}

/** A page of orders, the fields of each in the script's order; see `scripts/list-orders.lua`. */
export async function orderRows(
  redis: ScriptedRedis,
  keys: Keys,
  { userId, limit, below }: { userId?: number | undefined; limit: number; below: number },
): Promise<Reading<{ rows: string[][]; next: string | null }>> {
  const text = await redis.tallyListOrders(
    keys.applied,
    keys.writes,
    userId === undefined ? keys.orderBlocks : keys.userOrders(userId),
    limit,
    below,
    keys.order(''),
    userId === undefined ? keys.orderBlock('') : '',
    blockOf(below),
  );
  const [applied, rows, next] = JSON.parse(text) as [Absent] | [string, string[][], string | Absent];
  return applied === false ? { applied: null } : { applied, value: { rows, next: next || null } };
}

function readingOf<T>([applied, value]: [Absent] | [string, T]): Reading<T> {
  return applied === false ? { applied: null } : { applied, value };
}

/** What a generation says that it has applied, which may be no tip; null where the generation is not complete. */
export async function readAppliedTip(redis: ScriptedRedis, keys: Keys): Promise<string | null> {
  try {
    return (await readTogether(redis, keys, [])).applied;
  } catch (error) {
    if (isWrongType(error)) return 'not a string';
    throw error;
  }
}

/** Teaches a client the scripts; they are sent by their digest, and in full where Redis does not know them. */
export function withScripts(redis: Redis): ScriptedRedis {
  for (const [name, definition] of Object.entries(SCRIPTS)) redis.defineCommand(name, definition);
  return redis as ScriptedRedis;
}

/** Applies a batch of events; see `scripts/apply.lua`. */
export async function apply(
  redis: ScriptedRedis,
  keys: Keys,
  batch: { expected: Tip; next: Tip; changes: Changes },
  fenceToken = '',
): Promise<Outcome> {
  return outcome(() =>
    redis.tallyApply(
      keys.applied,
      keys.fence,
      keys.writes,
      formatTip(batch.expected),
      formatTip(batch.next),
      fenceToken,
      batch.changes.encode(),
    ),
  );
}

/** Writes one chunk of a generation that is being built, operations as `Changes` encodes them; see `scripts/fill.lua`. */
export async function fill(
  redis: ScriptedRedis,
  keys: Keys,
  token: string,
  chunk: number,
  operations: string,
): Promise<Outcome> {
  const [expected, next] = [`${token}:${chunk}`, `${token}:${chunk + 1}`];
  return outcome(() => redis.tallyFill(keys.building, keys.writes, expected, next, operations));
}

/** Declares a filled generation complete; see `scripts/finish.lua`. */
export async function finish(
  redis: ScriptedRedis,
  keys: Keys,
  token: string,
  chunks: number,
  tip: Tip,
): Promise<Outcome> {
  return outcome(() => redis.tallyFinish(keys.building, keys.applied, `${token}:${chunks}`, formatTip(tip)));
}

/** Makes a generation the live one; see `scripts/flip.lua`. */
export async function flip(redis: ScriptedRedis, to: Keys, from: Keys | undefined): Promise<Outcome> {
  return outcome(() =>
    redis.tallyFlip(
      liveKey(to.prefix),
      to.applied,
      (from ?? to).applied,
      to.writes,
      from?.generation ?? '',
      to.generation,
    ),
  );
}

/** Makes damaged slices what they should be at `tip`; see `scripts/restore.lua`. */
export async function restore(
  redis: ScriptedRedis,
  keys: Keys,
  tip: Tip,
  values: { key: string; content: Content }[],
): Promise<Outcome> {
  const args = values.flatMap(({ key, content }) => {
    const flat = flatten(content);
    return [content.type, key, String(flat.length), ...flat];
  });
  return outcome(() => redis.tallyRestore(keys.applied, keys.writes, formatTip(tip), ...args));
}

function flatten(content: Content): string[] {
  switch (content.type) {
    case 'none':
    case 'other':
      return [];
    case 'string':
      return [content.value];
    case 'hash':
      return Object.entries(content.fields).flat();
    case 'set':
      return content.members;
    case 'zset':
      return [...content.scores].flatMap(([member, score]) => [score ?? '', member]);
  }
}

async function outcome(call: () => Promise<[Status, string]>): Promise<Outcome> {
  try {
    const [status, detail] = await call();
    return { status, detail };
  } catch (error) {
    if (isOutOfMemory(error)) return { status: 'oom', detail: 'Redis is out of memory' };
    throw error;
  }
}
