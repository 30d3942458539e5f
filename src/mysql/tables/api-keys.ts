import { principalId, type Instant, type PrincipalId } from '../../domain/ids';
import { mapQuery, select, type Query, type Statement } from '../session';
import { fromDatetime, toDatetime } from '../time';
import { PUT_PRINCIPAL } from './principals';

export interface StoredApiKey {
  /** 12 digits in hexadecimal; public, the second part of the token. */
  id: string;
  secretHash: Buffer;
  createdAt: Instant;
  /** Undefined: never. */
  expiresAt: Instant | undefined;
  revokedAt: Instant | undefined;
  lastUsedAt: Instant | undefined;
}

interface Row {
  id: string;
  principal_id: number;
  secret_hash: Buffer;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
}

/** Also those that have ended, so that whoever shows one is told why it does not count. */
export function allApiKeys(): Query<(StoredApiKey & { ownerId: PrincipalId })[]> {
  const sql = `SELECT LOWER(HEX(id)) AS id, principal_id, secret_hash, created_at, expires_at, revoked_at, last_used_at
                 FROM api_keys ORDER BY created_at`;
  return mapQuery(select<Row>(sql), (rows) =>
    rows.map((row) => ({
      id: row.id,
      ownerId: principalId(row.principal_id),
      secretHash: row.secret_hash,
      createdAt: fromDatetime(row.created_at),
      expiresAt: instantOf(row.expires_at),
      revokedAt: instantOf(row.revoked_at),
      lastUsedAt: instantOf(row.last_used_at),
    })),
  );
}

function instantOf(datetime: string | null): Instant | undefined {
  return datetime === null ? undefined : fromDatetime(datetime);
}

/** Inserts a key of the principal that the same transaction has put. */
export function insertApiKey({ id, secretHash, createdAt, expiresAt }: StoredApiKey): Statement {
  return {
    sql: `INSERT INTO api_keys (id, principal_id, secret_hash, created_at, expires_at)
          VALUES (?, ${PUT_PRINCIPAL}, ?, ?, ?)`,
    parameters: [
      Buffer.from(id, 'hex'),
      secretHash,
      toDatetime(createdAt),
      expiresAt === undefined ? null : toDatetime(expiresAt),
    ],
  };
}

/** Ends the keys of a principal from this time on, which may lie ahead; one that ends earlier is left as it is. */
export function revokeApiKeys(ownerId: PrincipalId, from: Instant): Statement {
  return {
    sql: `UPDATE api_keys SET revoked_at = ?
           WHERE principal_id = ? AND (revoked_at IS NULL OR revoked_at > ?)`,
    parameters: [toDatetime(from), ownerId, toDatetime(from)],
  };
}

/** Takes down when keys were used last; never back. No change of who may do what, so no version. */
export function markUsed(ids: string[], at: Instant): Statement {
  return {
    sql: 'UPDATE api_keys SET last_used_at = ? WHERE id IN (?) AND (last_used_at IS NULL OR last_used_at < ?)',
    parameters: [toDatetime(at), ids.map((id) => Buffer.from(id, 'hex')), toDatetime(at)],
  };
}
