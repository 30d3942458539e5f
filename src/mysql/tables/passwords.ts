import type { Instant, PrincipalId } from '../../domain/ids';
import { mapQuery, select, type Query, type Statement } from '../session';
import { toDatetime } from '../time';
import { PUT_PRINCIPAL } from './principals';

/** The hash of a person's password; undefined where there is none. */
export function passwordOf(id: PrincipalId): Query<string | undefined> {
  return mapQuery(
    select<{ hash: string }>('SELECT hash FROM passwords WHERE principal_id = ?', [id]),
    ([row]) => row?.hash,
  );
}

/** Gives a password to the principal that the same transaction has put. */
export function setPassword(hash: string, now: Instant): Statement {
  return {
    sql: `INSERT INTO passwords (principal_id, hash, changed_at) VALUES (${PUT_PRINCIPAL}, ?, ?)
          ON DUPLICATE KEY UPDATE hash = ?, changed_at = ?`,
    parameters: [hash, toDatetime(now), hash, toDatetime(now)],
  };
}

export function removePassword(id: PrincipalId): Statement {
  return { sql: 'DELETE FROM passwords WHERE principal_id = ?', parameters: [id] };
}
