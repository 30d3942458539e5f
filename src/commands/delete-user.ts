import type { UserId } from '../domain/ids';
import { Problem } from '../domain/problems';
import { both, mapQuery, select } from '../mysql/session';
import { lockUser } from '../mysql/tables/users';
import type { CommandContext } from './context';
import type { CommandKind, Request } from './writer/command';
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

interface Facts {
  exists: boolean;
  isInUse: boolean;
}

export const DELETE_USER: CommandKind<UserId, Facts, UserId, 'UserRemoved'> = {
  events: ['UserRemoved'],
  shares: false,

  // Waits for the row: were it passed over while locked, a busy user could never be deleted.
  lookUp: ([id = NaN]) =>
    mapQuery(
      both(lockUser(id), select('SELECT 1 FROM orders WHERE user_id = ? LIMIT 1', [id])),
      ([user, references]) => ({ exists: user !== undefined, isInUse: references.length > 0 }),
    ),

  decide({ exists, isInUse }, _accepted, userId) {
    if (!exists) return new Problem('user-not-found', `There is no user ${userId}.`);
    if (isInUse) return new Problem('user-in-use', `Orders still refer to user ${userId}.`);
    return { row: userId, events: [{ body: { type: 'UserRemoved' }, subject: userId }] };
  },

  write: (ids) => [{ sql: 'DELETE FROM users WHERE id IN (?)', parameters: [ids] }],
};
