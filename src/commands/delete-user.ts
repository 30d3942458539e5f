import { Problem } from '../domain/problems';
import { failureOf } from '../mysql/failures';
import type { CommandIdentity } from './writer/identity';
import type { Receipt } from './writer/receipts';
import type { Writer } from './writer/writer';

/**
 * Removes a user who has no orders.
 * @throws Problem `user-not-found`, `user-in-use`, and those of the writer.
 */
export async function deleteUser(
  writer: Writer,
  userId: number,
  identity: CommandIdentity,
  now: string,
): Promise<Receipt> {
  return writer.execute({
    identity,
    now,
    async write(session) {
      try {
        const { affectedRows } = await session.write('DELETE FROM users WHERE id = ?', [userId]);
        if (affectedRows === 0) throw new Problem('user-not-found', `There is no user ${userId}.`);
      } catch (error) {
        if (failureOf(error) !== 'referenced') throw error;
        throw new Problem('user-in-use', `Orders still refer to user ${userId}.`, { cause: error });
      }
      return [{ type: 'UserRemoved', userId }];
    },
  });
}
