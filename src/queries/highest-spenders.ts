import { z } from 'zod';
import { count, id, money } from '../domain/answers';
import { formatMinor } from '../domain/money';
import { rankedUser } from '../read-model/keys';
import type { Positioned, Reader, ReadOptions } from '../read-model/reader';
import { mapReading, rankedAmount, ReadingScript } from '../read-model/reading-script';

export const highestSpenders = z.array(
  z.object({ user_id: id, name: z.string(), total_expense: money, orders_count: count }),
);

/** Member of the ranking, score, number of orders, name. */
type TopUser = [string, string, number, string];

const script = new ReadingScript<TopUser[]>(__dirname, 'highest-spenders');

/** The users who spent most, ties by ascending id. */
export async function readHighestSpenders(
  reader: Reader,
  { limit }: { limit: number },
  options: ReadOptions,
): Promise<Positioned<z.output<typeof highestSpenders>>> {
  return reader.read(`highest-spenders ${limit}`, options, async (keys) => {
    // A user's orders are `user:5:orders`: prefix, id, suffix.
    const suffix = keys.userOrders('').slice(keys.user('').length);
    const top = await script.run(reader.redis, keys, [keys.usersSpent], [limit, keys.user(''), suffix]);
    return mapReading(top, (rows) =>
      rows.map(([member, score, ordersCount, name]) => {
        const id = rankedUser(member);
        return {
          user_id: id,
          name: reader.nameOf('user', id, name),
          total_expense: formatMinor(BigInt(rankedAmount(score))),
          orders_count: ordersCount,
        };
      }),
    );
  });
}
