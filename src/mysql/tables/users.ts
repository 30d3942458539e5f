import { userId, type Instant, type UserId } from '../../domain/ids';
import { mapQuery, select, type Query, type Session, type Statement } from '../session';
import { toDatetime } from '../time';

export interface UserRow {
  id: UserId;
  name: string;
  email: string;
  created_at: string;
}

const COLUMNS = 'id, name, email, created_at';

/** A page of users in ascending order of id. */
export async function readUsersAfter(session: Session, afterId: number, limit: number): Promise<UserRow[]> {
  return session.ask(
    rows(`SELECT ${COLUMNS} FROM users WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, [
      afterId,
      Number.MAX_SAFE_INTEGER,
      limit,
    ]),
  );
}

/** Those that have one of these ids or emails; MySQL takes emails as equal that differ in case only. */
export function usersByIdOrEmail(ids: number[], emails: string[]): Query<UserRow[]> {
  return rows(`SELECT ${COLUMNS} FROM users WHERE (id IN (?) OR email IN (?)) AND id <= ?`, [
    ids,
    emails,
    Number.MAX_SAFE_INTEGER,
  ]);
}

/** The user, locked until the transaction ends: nobody changes it, or begins to refer to it, in between. */
export function lockUser(id: number): Query<UserRow | undefined> {
  return mapQuery(rows(`SELECT ${COLUMNS} FROM users WHERE id = ? FOR UPDATE`, [id]), ([row]) => row);
}

/** Inserts users who bring their ids. */
export function insertUsers(
  users: { id: number; name: string; email: string }[],
  createdAt: Instant,
): Statement {
  const values = users.map(({ id, name, email }) => [id, name, email, toDatetime(createdAt)]);
  return { sql: `INSERT INTO users (${COLUMNS}) VALUES ?`, parameters: [values] };
}

function rows(sql: string, parameters: Parameters<typeof select>[1]): Query<UserRow[]> {
  return mapQuery(select<Omit<UserRow, 'id'> & { id: number }>(sql, parameters), (found) =>
    found.map((row) => ({ ...row, id: userId(row.id) })),
  );
}
