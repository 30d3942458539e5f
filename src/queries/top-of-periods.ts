import { isDeepStrictEqual } from 'node:util';
import { Problem } from '../domain/problems';
import { dayOf, monthOf, type Keys, type Measure, type Period } from '../read-model/keys';
import { readTogether, type ReadCommand } from '../read-model/read-together';
import type { Reader } from '../read-model/reader';
import { ReadingScript, type Absent, type Reading } from '../read-model/reading-script';
import { onConnectionOfItsOwn, type Redis } from '../redis/client';
import { readTotals } from './totals';
import { sumOfRankings } from './sum-of-rankings';

export function otherMeasure(measure: Measure): Measure {
  return measure === 'sold' ? 'revenue' : 'sold';
}

/** Member of the ranking, score, score by the other measure, name, SKU. */
export type TopProduct = [string, string, string | Absent, string, string];

export interface TopQuery {
  periods: Period[];
  measure: Measure;
  limit: number;
}

/** Members that a script may read or look up: some ten milliseconds of Redis, and some twenty where one is at it alone. */
const HEADS_MEMBERS = 15_000;
const MOST_MEMBERS = 30_000;
const MIN_DEPTH = 16;
const MIN_SETTLED_DEPTH = 256;
const SETTLED_ATTEMPTS = 6;

/**
 * The products that are the top of several rankings together, exactly. Sales are skewed, so the heads of the rankings
 * nearly always decide it, within one script; where they do not, the rankings are read whole, by one request at a time.
 * @throws Problem `overloaded`, `read-model-contended`
 */
export async function topOfPeriods(
  { redis, turns }: Pick<Reader, 'redis' | 'turns'>,
  keys: Keys,
  query: TopQuery,
): Promise<Reading<TopProduct[]>> {
  const top = await turns.wide.take(() => topOfHeads(redis, keys, query));
  if (top !== 'too much') return top;
  return turns.whole.take(async () => {
    // Once, with all that one script may read: the first try has shown that less is not enough.
    const depth = Math.floor(MOST_MEMBERS / 2 / query.periods.length);
    const reading = await readHeads(redis, keys, { ...query, depth, maxMembers: MOST_MEMBERS });
    if (reading === undefined) return undefined;
    const { at, value } = reading;
    return typeof value === 'string' ? topOfSettled(redis, keys, query) : { at, value };
  });
}

/** The top, by as much of the heads as it takes. */
async function topOfHeads(redis: Redis, keys: Keys, query: TopQuery) {
  const depth = Math.max(MIN_DEPTH, Math.ceil(1.25 * query.limit));
  return deepen(depth, (depth) => readHeads(redis, keys, { ...query, depth, maxMembers: HEADS_MEMBERS }));
}

/** Asks for more of the heads until they decide it. */
async function deepen(
  from: number,
  read: (depth: number) => Promise<Reading<HeadsAnswer>>,
): Promise<Reading<TopProduct[]> | 'too much'> {
  for (let depth = from; depth <= MOST_MEMBERS; depth *= 2) {
    const reading = await read(depth);
    if (reading === undefined) return undefined;
    const { at, value } = reading;
    if (value === 'too much') break;
    if (value !== 'deeper') return { at, value };
  }
  return 'too much';
}

/** The head of the rankings that nobody writes to, which count as one, as `top-of-periods.lua` takes it. */
interface SettledHead {
  /** How many rankings they are: those of the last periods. */
  periods: number;
  members: string[];
  /** Of the members, in the same order. */
  sums: number[];
  /** What no other member has more than. */
  bound: number;
}

interface HeadsQuery extends TopQuery {
  /** How many members of each ranking are read, at least as many as products. */
  depth: number;
  /** How many members of the rankings may be read or looked up before it is too much. */
  maxMembers: number;
  settled?: SettledHead;
}

type HeadsAnswer = TopProduct[] | 'deeper' | 'too much';

const script = new ReadingScript<HeadsAnswer>(__dirname, 'top-of-periods');

/** The top as far as the heads of the rankings decide it; or why they do not. */
export async function readHeads(
  redis: Redis,
  keys: Keys,
  { periods, measure, limit, depth, maxMembers, settled }: HeadsQuery,
): Promise<Reading<HeadsAnswer>> {
  const rankings = [measure, otherMeasure(measure)].flatMap((by) =>
    periods.map((period) => keys.productRanking(by, period)),
  );
  const head = settled === undefined ? '' : JSON.stringify(settled);
  return script.run(redis, keys, rankings, [limit, depth, keys.product(''), maxMembers, head]);
}

/**
 * The same for flat sales, where no head decides it, and while orders arrive: they sell today, so the rankings of other
 * days and months stand still. Those are read whole and added up, page by page so that Redis is never held for long, and
 * count as one ranking from then on; the few that move are read at one moment with it. Redis watches that the others did
 * stand still (WATCH); what moved all the same is among those that move at the next attempt.
 * @throws Problem `read-model-contended` where too many move.
 */
export async function topOfSettled(
  redis: Redis,
  keys: Keys,
  query: TopQuery,
): Promise<Reading<TopProduct[]>> {
  return onConnectionOfItsOwn(redis, async (own) => {
    const now = new Date().toISOString();
    const moving = new Set([dayOf(now), monthOf(now)]);
    for (let attempt = 1; attempt <= SETTLED_ATTEMPTS; attempt++) {
      const settled = query.periods.filter((period) => !moving.has(period));
      const rankings = settled.flatMap((period) => [
        keys.productRanking('sold', period),
        keys.productRanking('revenue', period),
      ]);
      if (rankings.length > 0) await own.watch(rankings);
      const before = await readTotals(own, keys, settled);
      const sums = await sumOfRankings(own, keys, query.measure, settled);
      if (sums === undefined) return undefined;
      const top = await topBesideSettled(own, keys, query, settled, sums);
      const stoodStill = (await own.multi().exec()) !== null;
      if (stoodStill && top !== 'too much') return top;
      if (stoodStill) throw contended('Too many products sell nearly the same for what a report may cost.');
      const after = await readTotals(own, keys, settled);
      if (before === undefined || after === undefined) return undefined;
      for (const [index, period] of settled.entries()) {
        if (!isDeepStrictEqual(before.value[index], after.value[index])) moving.add(period);
      }
    }
    throw contended('Orders of many days were written faster than this range could be read at one position.');
  });
}

function contended(why: string): Problem {
  const detail = `${why} A range that ends before today is easier.`;
  return new Problem('read-model-contended', detail, { retryAfterSeconds: 1 });
}

/** The top of the settled rankings, of which all sums are known, and of those that move. */
async function topBesideSettled(
  redis: Redis,
  keys: Keys,
  query: TopQuery,
  settled: Period[],
  sums: ReadonlyMap<string, number>,
): Promise<Reading<TopProduct[]> | 'too much'> {
  const moving = query.periods.filter((period) => !settled.includes(period));
  const ranked = [...sums].sort(([a, sumA], [b, sumB]) => sumB - sumA || (a < b ? -1 : 1));
  return deepen(Math.max(MIN_SETTLED_DEPTH, 2 * query.limit), async (depth) => {
    const last = String(depth - 1);
    const heads = await readTogether(
      redis,
      keys,
      moving.map((period): ReadCommand => ['ZRANGE', keys.productRanking(query.measure, period), '0', last]),
    );
    if (heads === undefined) return undefined;
    // With what the heads of the others hold, so that the script need not look it up in each of the settled rankings.
    const head = ranked.slice(0, depth).map(([member]) => member);
    const members = [...new Set([...head, ...heads.value.flat().map(String)])];
    const bound = ranked.length <= depth ? 0 : (ranked[depth - 1]?.[1] ?? 0);
    return readHeads(redis, keys, {
      ...query,
      periods: [...moving, ...settled],
      depth,
      maxMembers: MOST_MEMBERS,
      settled: {
        periods: settled.length,
        members,
        sums: members.map((member) => sums.get(member) ?? 0),
        bound,
      },
    });
  });
}
