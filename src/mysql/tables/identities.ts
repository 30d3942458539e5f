import { principalId, type PrincipalId } from '../../domain/ids';
import { mapQuery, select, type Query, type Statement } from '../session';
import { PUT_PRINCIPAL } from './principals';

/** Whose identity at a provider it is; undefined where nobody has logged in with it. */
export function principalOfIdentity(id: Buffer): Query<PrincipalId | undefined> {
  return mapQuery(
    select<{ principal_id: number }>('SELECT principal_id FROM identities WHERE id = ?', [id]),
    ([row]) => (row === undefined ? undefined : principalId(row.principal_id)),
  );
}

/** Gives it to the principal that the same transaction has put. */
export function insertIdentity(id: Buffer): Statement {
  return { sql: `INSERT INTO identities (id, principal_id) VALUES (?, ${PUT_PRINCIPAL})`, parameters: [id] };
}
