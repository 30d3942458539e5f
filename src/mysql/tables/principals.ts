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
}

/** All of them: a shop has few. */
export function allPrincipals(): Query<StoredPrincipal[]> {
  return mapQuery(
    select<Omit<StoredPrincipal, 'id'> & { id: number }>('SELECT id, kind, name, grants FROM principals'),
    (rows) => rows.map((row) => ({ ...row, id: principalId(row.id) })),
  );
}

/** Adds a principal, or changes what the one of this name may do. LAST_INSERT_ID() is its id. */
export function upsertPrincipal(kind: PrincipalKind, name: string, grants: string, now: Instant): Statement {
  return {
    sql: `INSERT INTO principals (kind, name, grants, created_at) VALUES (?, ?, ?, ?)
          ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), grants = ?`,
    parameters: [kind, name, grants, toDatetime(now), grants],
  };
}
