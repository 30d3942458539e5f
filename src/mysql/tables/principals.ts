import { principalId, type Instant, type PrincipalId } from '../../domain/ids';
import { mapQuery, select, type Query, type Statement } from '../session';
import { toDatetime } from '../time';

export type PrincipalKind = 'program' | 'person';

export interface StoredPrincipal {
  id: PrincipalId;
  kind: PrincipalKind;
  name: string;
  /** As src/access understands them. */
  grants: string;
  /** 16 digits in hexadecimal; null of a program. */
  sessionKey: string | null;
}

/** What the audit tells of a principal. */
export type PrincipalRow = Pick<StoredPrincipal, 'id' | 'kind' | 'name'>;

/** The columns of a principal that an outer join may not have found. */
export interface JoinedPrincipal {
  principal_id: number | null;
  principal_kind: PrincipalKind;
  principal_name: string;
}

/** For an outer join of principals as `p`. */
export const JOINED_PRINCIPAL = 'p.id AS principal_id, p.kind AS principal_kind, p.name AS principal_name';

export function joinedPrincipal(row: JoinedPrincipal): PrincipalRow | undefined {
  if (row.principal_id === null) return undefined;
  return { id: principalId(row.principal_id), kind: row.principal_kind, name: row.principal_name };
}

/** All of them: a shop has few. */
export function allPrincipals(): Query<StoredPrincipal[]> {
  return mapQuery(
    select<Omit<StoredPrincipal, 'id'> & { id: number }>(
      'SELECT id, kind, name, grants, LOWER(HEX(session_key)) AS sessionKey FROM principals',
    ),
    (rows) => rows.map((row) => ({ ...row, id: principalId(row.id) })),
  );
}

export interface NewPrincipal {
  kind: PrincipalKind;
  name: string;
  grants: string;
  sessionKey: Buffer | null;
}

/**
 * The id of the principal that the same transaction has put, for what belongs to it. A variable, set directly after the
 * INSERT: LAST_INSERT_ID() itself is another id after the next one.
 */
export const PUT_PRINCIPAL = '@principal';

const SET_PUT_PRINCIPAL: Statement = { sql: `SET ${PUT_PRINCIPAL} = LAST_INSERT_ID()` };

/** Adds a principal. The one of this name, if there is one, gets these grants and this session key. */
export function upsertPrincipal({ kind, name, grants, sessionKey }: NewPrincipal, now: Instant): Statement[] {
  const upsert = {
    sql: `INSERT INTO principals (kind, name, grants, session_key, created_at) VALUES (?, ?, ?, ?, ?)
          ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), grants = ?, session_key = ?`,
    parameters: [kind, name, grants, sessionKey, toDatetime(now), grants, sessionKey],
  };
  return [upsert, SET_PUT_PRINCIPAL];
}

/** Adds a principal, of a name that nobody has. */
export function insertPrincipal({ kind, name, grants, sessionKey }: NewPrincipal, now: Instant): Statement[] {
  const insert = {
    sql: 'INSERT INTO principals (kind, name, grants, session_key, created_at) VALUES (?, ?, ?, ?, ?)',
    parameters: [kind, name, grants, sessionKey, toDatetime(now)],
  };
  return [insert, SET_PUT_PRINCIPAL];
}

/** Changes what a person may do, and ends all his sessions. */
export function setGrants(id: PrincipalId, grants: string, sessionKey: Buffer): Statement {
  return {
    sql: 'UPDATE principals SET grants = ?, session_key = ? WHERE id = ?',
    parameters: [grants, sessionKey, id],
  };
}

/** Ends all sessions of a person. */
export function setSessionKey(id: PrincipalId, sessionKey: Buffer): Statement {
  return { sql: 'UPDATE principals SET session_key = ? WHERE id = ?', parameters: [sessionKey, id] };
}
