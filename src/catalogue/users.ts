import { z } from 'zod';
import { id, nextCursor, time } from '../domain/answers';
import type { UserId } from '../domain/ids';
import { Problem } from '../domain/problems';
import type { Database } from '../mysql/pool';
import { readUsersAfter, type StoredUser } from '../mysql/tables/users';
import { nextCursorOf, readCatalogue, type Page } from './page';

export const user = z.object({ user_id: id, name: z.string(), email: z.string(), created_at: time });
export const userPage = z.object({ users: z.array(user), next_cursor: nextCursor });

/** @throws Problem `user-not-found`, `overloaded`, `mysql-unreachable` */
export async function getUser(database: Database, userId: UserId): Promise<z.output<typeof user>> {
  const [row] = await readCatalogue(database, (session) => readUsersAfter(session, userId - 1, 1));
  if (row?.id !== userId) throw new Problem('user-not-found', `There is no user ${userId}.`);
  return userAnswer(row);
}

/** Users by ascending id. @throws Problem `overloaded`, `mysql-unreachable` */
export async function listUsers(
  database: Database,
  { limit, above }: Page,
): Promise<z.output<typeof userPage>> {
  const rows = await readCatalogue(database, (session) => readUsersAfter(session, above, limit + 1));
  return { users: rows.slice(0, limit).map(userAnswer), next_cursor: nextCursorOf(rows, limit) };
}

function userAnswer({ id, name, email, createdAt }: StoredUser): z.output<typeof user> {
  return { user_id: id, name, email, created_at: createdAt };
}
