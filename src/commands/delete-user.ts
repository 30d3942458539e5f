import type { UserId } from '../domain/ids';
import { deleteUser as deleteRow, lockUser } from '../mysql/tables/users';
import type { CommandContext } from './context';
import { catalogueDeletion } from './catalogue-deletion';
import type { Request } from './writer/command';
import type { Receipt } from './writer/receipts';

/**
 * Removes a user who has no orders.
 * @throws Problem `user-not-found`, `user-in-use`, and those of the writer.
 */
export async function deleteUser(
  { writer }: CommandContext,
  userId: UserId,
  request: Request,
): Promise<Receipt<'UserRemoved'>> {
  return writer.execute(DELETE_USER, userId, request);
}

export const DELETE_USER = catalogueDeletion<UserId, 'UserRemoved'>({
  kind: 'user',
  removed: { type: 'UserRemoved' },
  lock: lockUser,
  references: 'SELECT 1 FROM orders WHERE user_id = ? LIMIT 1',
  deleteRow,
});
