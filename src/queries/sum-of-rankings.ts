import type { Keys, Measure, Period } from '../read-model/keys';
import { readTogether } from '../read-model/read-together';
import { wholeNumber } from '../read-model/reading-script';
import type { Redis } from '../redis/client';

/** Members in one script; less than a millisecond of Redis. */
const PAGE = 1000;

/**
 * What the rankings of several periods come to together. Read page by page, each at a position of its own: true only
 * where the caller knows that they stand still. Undefined: the generation is not complete.
 */
export async function sumOfRankings(
  redis: Redis,
  keys: Keys,
  measure: Measure,
  periods: readonly Period[],
): Promise<Map<string, number> | undefined> {
  const sums = new Map<string, number>();
  for (const period of periods) {
    const ranking = keys.productRanking(measure, period);
    for (let from = 0; ; from += PAGE) {
      const last = String(from + PAGE - 1);
      const page = await readTogether(redis, keys, [['ZRANGE', ranking, String(from), last, 'WITHSCORES']]);
      if (page === undefined) return undefined;
      const [flat = []] = page.value;
      for (let index = 0; index < flat.length; index += 2) {
        const member = flat[index] || '';
        sums.set(member, (sums.get(member) ?? 0) - wholeNumber(flat[index + 1]));
      }
      if (flat.length < 2 * PAGE) break;
    }
  }
  return sums;
}
