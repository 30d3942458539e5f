import { isSameLogPosition } from '../domain/log-position';
import { Problem } from '../domain/problems';
import { rankedProduct, type Keys, type Measure, type Period } from '../read-model/keys';
import { readTogether, type ReadCommand, type Reply } from '../read-model/read-together';
import type { Reader } from '../read-model/reader';
import { ReadingScript, type Absent, type Reading, wholeNumber } from '../read-model/reading-script';

export function otherMeasure(measure: Measure): Measure {
  return measure === 'sold' ? 'revenue' : 'sold';
}

/** Member of the ranking, score, score by the other measure, name, SKU. */
export type TopProduct = [string, string, string | Absent, string, string];

interface Query {
  periods: Period[];
  measure: Measure;
  limit: number;
}

/** Members that one script may read or look up: some twenty milliseconds of Redis, for long lists of wide ranges. */
const MAX_MEMBERS = 30_000;
const MIN_DEPTH = 16;
const PAGE = 1000;
const SCAN_ATTEMPTS = 8;

/**
 * The products that are the top of several rankings together, exactly. Sales are skewed, so the heads of the rankings
 * nearly always decide it, within one script; where they do not, the rankings are read whole.
 * @throws Problem `read-model-contended`
 */
export async function topOfPeriods(
  redis: Reader['redis'],
  keys: Keys,
  query: Query,
): Promise<Reading<TopProduct[]>> {
  let depth = Math.max(MIN_DEPTH, Math.ceil(1.25 * query.limit));
  for (; depth <= MAX_MEMBERS; depth *= 2) {
    const reading = await topOfHeads(redis, keys, { ...query, depth, maxMembers: MAX_MEMBERS });
    if (reading === undefined) return undefined;
    const { at, value } = reading;
    if (value === 'too much') break;
    if (value !== 'deeper') return { at, value };
  }
  return scanPeriods(redis, keys, query);
}

interface HeadsQuery extends Query {
  /** How many members of each ranking are read, at least as many as products. */
  depth: number;
  /** How many members of the rankings may be read or looked up before it is too much. */
  maxMembers: number;
}

const script = new ReadingScript<TopProduct[] | 'deeper' | 'too much'>(__dirname, 'top-of-periods');

/** The top as far as the heads of the rankings decide it; or why they do not. */
export async function topOfHeads(
  redis: Reader['redis'],
  keys: Keys,
  { periods, measure, limit, depth, maxMembers }: HeadsQuery,
): Promise<Reading<TopProduct[] | 'deeper' | 'too much'>> {
  const rankings = [measure, otherMeasure(measure)].flatMap((by) =>
    periods.map((period) => keys.productRanking(by, period)),
  );
  return script.run(redis, keys, rankings, [limit, depth, keys.product(''), maxMembers]);
}

/**
 * The same by reading everything, page by page so that Redis is never held for long. The pages must all be of one position.
 * @throws Problem `read-model-contended` where the model moved on during every attempt.
 */
export async function scanPeriods(
  redis: Reader['redis'],
  keys: Keys,
  query: Query,
): Promise<Reading<TopProduct[]>> {
  for (let attempt = 1; attempt <= SCAN_ATTEMPTS; attempt++) {
    const reading = await tryScan(redis, keys, query);
    if (reading !== 'moved on') return reading;
  }
  throw new Problem(
    'read-model-contended',
    'Orders arrived faster than this range could be read at one position.',
    { retryAfterSeconds: 1 },
  );
}

async function tryScan(
  redis: Reader['redis'],
  keys: Keys,
  { periods, measure, limit }: Query,
): Promise<Reading<TopProduct[]> | 'moved on'> {
  const start = await readTogether(redis, keys, []);
  if (start === undefined) return undefined;
  const unlessMovedOn = (reading: Reading<Reply[]>) =>
    reading && isSameLogPosition(reading.at, start.at) ? reading.value : undefined;

  const sums = new Map<string, number>();
  for (const period of periods) {
    const ranking = keys.productRanking(measure, period);
    for (let from = 0; ; from += PAGE) {
      const page: ReadCommand = ['ZRANGE', ranking, String(from), String(from + PAGE - 1), 'WITHSCORES'];
      const replies = unlessMovedOn(await readTogether(redis, keys, [page]));
      if (replies === undefined) return 'moved on';
      const [flat = []] = replies;
      for (let index = 0; index < flat.length; index += 2) {
        const member = flat[index] || '';
        sums.set(member, (sums.get(member) ?? 0) + wholeNumber(flat[index + 1]));
      }
      if (flat.length < 2 * PAGE) break;
    }
  }
  const top = topMembers(sums).slice(0, limit);
  if (top.length === 0) return { at: start.at, value: [] };

  const replies = unlessMovedOn(
    await readTogether(redis, keys, [
      ...top.map((member): ReadCommand => ['HMGET', keys.product(rankedProduct(member)), 'name', 'sku']),
      ...periods.map((period): ReadCommand => [
        'ZMSCORE',
        keys.productRanking(otherMeasure(measure), period),
        ...top,
      ]),
    ]),
  );
  if (replies === undefined) return 'moved on';
  const others = replies.slice(top.length);
  const value = top.map((member, index): TopProduct => {
    const [name, sku] = replies[index] ?? [];
    const other = others.reduce((sum, scores) => sum + wholeNumber(scores[index]), 0);
    return [member, String(sums.get(member) ?? 0), String(other), name || '', sku || ''];
  });
  return { at: start.at, value };
}

/** Members by ascending sum of scores, which are negated amounts; then by ascending id. */
function topMembers(sums: Map<string, number>): string[] {
  return [...sums].sort(([a, sumA], [b, sumB]) => sumA - sumB || (a < b ? -1 : 1)).map(([member]) => member);
}
