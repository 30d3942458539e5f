import { Problem } from '../domain/problems';
import { rankedId, type Keys } from '../read-model/keys';
import type { Reader } from '../read-model/reader';
import type { Reading } from '../read-model/reading';
import {
  otherMeasure,
  readAppliedTip,
  readTogether,
  topProducts,
  topProductsOfPeriods,
  type Absent,
  type PeriodsQuery,
  type ReadCommand,
  type TopProduct,
} from '../read-model/scripts';
import { ranked } from './figures';

type Query = Pick<PeriodsQuery, 'periods' | 'measure' | 'limit'>;

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
export async function topOfPeriods(reader: Reader, keys: Keys, query: Query): Promise<Reading<TopProduct[]>> {
  const { periods, measure, limit } = query;
  if (periods.length === 1) return topProducts(reader.redis, keys, { period: periods[0], measure, limit });
  let depth = Math.max(MIN_DEPTH, Math.ceil(1.25 * limit));
  for (; depth <= MAX_MEMBERS; depth *= 2) {
    const reading = await topProductsOfPeriods(reader.redis, keys, {
      ...query,
      depth,
      maxMembers: MAX_MEMBERS,
    });
    if (reading.applied === null) return reading;
    const { applied, value } = reading;
    if (value === 'too much') break;
    if (value !== 'deeper') return { applied, value };
  }
  return scanPeriods(reader, keys, query);
}

/**
 * The same by reading everything, page by page so that Redis is never held for long. The pages must all be of one position.
 * @throws Problem `read-model-contended` where the model moved on during every attempt.
 */
async function scanPeriods(reader: Reader, keys: Keys, query: Query): Promise<Reading<TopProduct[]>> {
  for (let attempt = 1; attempt <= SCAN_ATTEMPTS; attempt++) {
    const reading = await tryScan(reader, keys, query);
    if (reading !== undefined) return reading;
  }
  throw new Problem(
    'read-model-contended',
    'Orders arrived faster than this range could be read at one position.',
    { retryAfterSeconds: 1 },
  );
}

/** undefined where the model moved on meanwhile. */
async function tryScan(
  reader: Reader,
  keys: Keys,
  { periods, measure, limit }: Query,
): Promise<Reading<TopProduct[]> | undefined> {
  const applied = await readAppliedTip(reader.redis, keys);
  if (applied === null) return { applied };
  const totals = new Map<string, bigint>();
  for (const period of periods) {
    const ranking = keys.productRanking(measure, period);
    for (let from = 0; ; from += PAGE) {
      const page = await readTogether(reader.redis, keys, [
        ['ZRANGE', ranking, String(from), String(from + PAGE - 1), 'WITHSCORES'],
      ]);
      if (page.applied !== applied) return undefined;
      const flat = page.value[0] as string[];
      for (let at = 0; at < flat.length; at += 2) {
        const member = flat[at] ?? '';
        totals.set(member, (totals.get(member) ?? 0n) + ranked(flat[at + 1]));
      }
      if (flat.length < 2 * PAGE) break;
    }
  }
  const top = topMembers(totals).slice(0, limit);
  if (top.length === 0) return { applied, value: [] };

  const reading = await readTogether(reader.redis, keys, [
    ...top.map((member): ReadCommand => ['HMGET', keys.product(rankedId(member)), 'name', 'sku']),
    ...periods.map((period): ReadCommand => [
      'ZMSCORE',
      keys.productRanking(otherMeasure(measure), period),
      ...top,
    ]),
  ]);
  if (reading.applied !== applied) return undefined;
  const hashes = reading.value.slice(0, top.length) as [string | Absent, string | Absent][];
  const others = reading.value.slice(top.length) as (string | Absent)[][];
  const value = top.map((member, index): TopProduct => {
    const [name, sku] = hashes[index] ?? [];
    const other = others.reduce((sum, scores) => sum + ranked(scores[index]), 0n);
    return [member, String(-(totals.get(member) ?? 0n)), String(-other), name || '', sku || ''];
  });
  return { applied, value };
}

/** Members by descending total, then ascending id. */
function topMembers(totals: Map<string, bigint>): string[] {
  return [...totals]
    .sort(([a, totalA], [b, totalB]) => (totalA === totalB ? (a < b ? -1 : 1) : totalA > totalB ? -1 : 1))
    .map(([member]) => member);
}
