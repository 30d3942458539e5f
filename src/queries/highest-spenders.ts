import { formatMinor } from '../money';
import { rankedId } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
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
  const { position, value } = await reader.read(options, async (keys) => {
    // A user's orders are `user:5:orders`: prefix, id, suffix.
    const suffix = keys.userOrders('').slice(keys.user('').length);
    const [applied, rows] = await reader.redis.tallyTopUsers(
      keys.applied,
      keys.writes,
      keys.usersSpent,
      limit,
      keys.user(''),
      suffix,
    );
    return { applied, value: rows };
  });
  return {
    position,
    value: value.map(([member, score, ordersCount, name]) => ({
      user_id: rankedId(member),
      name,
      total_expense: formatMinor(ranked(score)),
      orders_count: ordersCount,
    })),
  };
}
