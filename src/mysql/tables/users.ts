import { ERASED_NAME, type EventOf } from '../../domain/events';
import { userId, type Instant, type UserId } from '../../domain/ids';
import { mapQuery, select, type Query, type Session, type Statement } from '../session';
import { fromDatetime, toDatetime } from '../time';
import { SET_INSERTED } from './inserted';

export interface NewUser {
  name: string;
  email: string;
}

export interface User extends NewUser {
  id: UserId;
}

export interface StoredUser extends User {
  createdAt: Instant;
}

interface UserRow {
  id: number;
  name: string;
  email: string;
  created_at: string;
}

const COLUMNS = 'id, name, email, created_at';

/** A page of users in ascending order of id. */
export async function readUsersAfter(
  session: Session,
  afterId: number,
  limit: number,
): Promise<StoredUser[]> {
  return session.ask(
    rows(`SELECT ${COLUMNS} FROM users WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, [
      afterId,
      Number.MAX_SAFE_INTEGER,
      limit,
    ]),
  );
}

/** Those that have the id or the email of one of these; MySQL takes emails as equal that differ in case only. */
export function usersByIdOrEmail(users: User[]): Query<StoredUser[]> {
  return rows(`SELECT ${COLUMNS} FROM users WHERE (id IN (?) OR email IN (?)) AND id <= ?`, [
    users.map(({ id }) => id),
    users.map(({ email }) => email),
    Number.MAX_SAFE_INTEGER,
  ]);
}

/** What a row says, as the event that would create it. */
export function statedByUser({ id, name }: User): EventOf<'UserRegistered'> {
  return { type: 'UserRegistered', userId: id, name };
}

/** What the row says, locked until the transaction ends: nobody changes it, or begins to refer to it, in between. */
export function lockUser(id: number): Query<EventOf<'UserRegistered'> | undefined> {
  return mapQuery(
    rows(`SELECT ${COLUMNS} FROM users WHERE id = ? FOR UPDATE`, [id]),
    ([row]) => row && statedByUser(row),
  );
}

/** Inserts a user, who gets his id from MySQL (see inserted.ts). */
export function insertNewUser(user: NewUser, createdAt: Instant): Statement[] {
  return [
    {
      sql: 'INSERT INTO users (name, email, created_at) VALUES (?)',
      parameters: [valuesOf(user, createdAt)],
    },
    { sql: SET_INSERTED },
  ];
}

/** Inserts users who bring their ids. */
export function insertUsers(users: User[], createdAt: Instant): Statement[] {
  const values = users.map((user) => [user.id, ...valuesOf(user, createdAt)]);
  return [{ sql: `INSERT INTO users (${COLUMNS}) VALUES ?`, parameters: [values] }];
}

/** The email is another one for each user, as the table demands, and one that nobody can register. */
export function eraseUser(id: UserId): Statement {
  return {
    sql: 'UPDATE users SET name = ?, email = ? WHERE id = ?',
    parameters: [ERASED_NAME, `[erased ${id}]`, id],
  };
}

function valuesOf({ name, email }: NewUser, createdAt: Instant): string[] {
  return [name, email, toDatetime(createdAt)];
}

function rows(sql: string, parameters: Parameters<typeof select>[1]): Query<StoredUser[]> {
  return mapQuery(select<UserRow>(sql, parameters), (found) =>
    found.map(({ id, name, email, created_at }) => ({
      id: userId(id),
      name,
      email,
      createdAt: fromDatetime(created_at),
    })),
  );
}
