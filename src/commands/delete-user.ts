import type { UserId } from '../domain/ids';
import { lockUser } from '../mysql/tables/users';
import { catalogueDeletion } from './catalogue-deletion';

/** Removes a user who has no orders. Refused with `user-not-found`, `user-in-use`. */
export const DELETE_USER = catalogueDeletion<UserId, 'UserRemoved'>({
  kind: 'user',
  removed: { type: 'UserRemoved' },
  lock: lockUser,
  references: 'SELECT 1 FROM orders WHERE user_id = ? LIMIT 1',
  deletion: 'DELETE FROM users WHERE id = ?',
});
