import { formatMinor } from '../domain/money';
import { rankedId } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading } from '../read-model/reading';
import { topUsers } from '../read-model/scripts';
import { ranked } from './figures';

export interface Spender {
  user_id: number;
  name: string;
  total_expense: string;
  orders_count: number;
}

/** The users who spent most, ties by ascending id. */
export async function highestSpenders(
  reader: Reader,
  limit: number,
  options: ReadOptions,
): Promise<Positioned<Spender[]>> {
  return reader.read(`highest-spenders ${limit}`, options, async (keys) =>
    mapReading(await topUsers(reader.redis, keys, limit), (rows) =>
      rows.map(([member, score, ordersCount, name]) => ({
        user_id: rankedId(member),
        name,
        total_expense: formatMinor(ranked(score)),
        orders_count: ordersCount,
      })),
    ),
  );
}
