import type { Instant, PrincipalId } from '../../domain/ids';
import { mapQuery, select, type Query, type Statement } from '../session';
import { fromDatetime, toDatetime } from '../time';
import {
  PUT_PRINCIPAL,
  JOINED_PRINCIPAL,
  joinedPrincipal,
  type JoinedPrincipal,
  type PrincipalRow,
} from './principals';

/** Something that happened to access. None of its texts is a secret or the name of a person. */
export interface AccessEvent {
  /** At most 32 characters. `left-out`: what there was no room for, as a number alone. */
  what:
    | 'key-refused'
    | 'key-created'
    | 'key-rotated'
    | 'key-revoked'
    | 'session-refused'
    | 'logged-in'
    | 'logged-out'
    | 'login-refused'
    | 'person-added'
    | 'person-reset'
    | 'person-removed'
    | 'left-out';
  /** Why, in a word. */
  reason?: string | undefined;
  /** Who did it, where that is certain: whoever names a key without its secret need not be its owner. */
  principalId?: PrincipalId | undefined;
  /** The 12 public digits of the key that it is about. */
  keyId?: string | undefined;
  /** What was asked for, such as `POST /orders`. */
  route?: string;
  /** From where. */
  address?: string | undefined;
}

/** Equal events that were joined. */
export interface CountedAccessEvent extends AccessEvent {
  /** Of the last one. */
  occurredAt: Instant;
  count: number;
}

/** MySQL would refuse a longer text, or a higher count. */
const LONGEST_TEXT = 64;
const HIGHEST_COUNT = 2 ** 32 - 1;

export function insertAccessEvents(events: CountedAccessEvent[]): Statement {
  const rows = events.map(({ occurredAt, what, reason, principalId, keyId, route, address, count }) => [
    toDatetime(occurredAt),
    what,
    reason ?? null,
    principalId ?? null,
    keyId === undefined ? null : Buffer.from(keyId, 'hex'),
    stored(route),
    stored(address),
    Math.min(count, HIGHEST_COUNT),
  ]);
  return {
    sql: `INSERT INTO access_events (occurred_at, what, reason, principal_id, key_id, route, address, count)
          VALUES ?`,
    parameters: [rows],
  };
}

/** One text that MySQL refuses would keep all others out. An address is whatever a trusted proxy has forwarded. */
function stored(text: string | undefined): string | null {
  return text?.slice(0, LONGEST_TEXT).replaceAll(/[^\x20-\x7e]/g, '?') ?? null;
}

/** Says of each key of a principal that is good at this time that it is revoked; goes before `revokeApiKeys`. */
export function insertRevocations(ownerId: PrincipalId, at: Instant): Statement {
  return {
    sql: `INSERT INTO access_events (occurred_at, what, key_id, count)
          SELECT ?, 'key-revoked', id, 1 FROM api_keys
           WHERE principal_id = ? AND (revoked_at IS NULL OR revoked_at > ?)`,
    parameters: [toDatetime(at), ownerId, toDatetime(at)],
  };
}

/** Says what an operator did to a person: the principal that the statement before has inserted or changed. */
export function insertPersonEvent(what: AccessEvent['what'], at: Instant): Statement {
  return {
    sql: `INSERT INTO access_events (occurred_at, what, person_id, count) VALUES (?, ?, ${PUT_PRINCIPAL}, 1)`,
    parameters: [toDatetime(at), what],
  };
}

/** As the audit reads it; a newer release may have written another `what`. */
export interface StoredAccessEvent {
  id: number;
  occurredAt: Instant;
  what: string;
  reason: string | null;
  principal: PrincipalRow | undefined;
  keyId: string | null;
  /** Whose key it is, where such a key exists. */
  keyOwner: string | null;
  /** The person that it is about. */
  personId: number | null;
  personName: string | null;
  route: string | null;
  address: string | null;
  count: number;
}

interface Row extends JoinedPrincipal {
  id: number;
  occurred_at: string;
  what: string;
  reason: string | null;
  key_id: string | null;
  key_owner: string | null;
  person_id: number | null;
  person_name: string | null;
  route: string | null;
  address: string | null;
  count: number;
}

/** The newest events up to an id, newest first. */
export function accessEvents(upToId: number, limit: number): Query<StoredAccessEvent[]> {
  const sql = `SELECT e.id, e.occurred_at, e.what, e.reason, LOWER(HEX(e.key_id)) AS key_id, o.name AS key_owner, e.route,
                      e.person_id, s.name AS person_name, e.address, e.count, ${JOINED_PRINCIPAL}
                 FROM access_events e
                 LEFT JOIN principals p ON p.id = e.principal_id
                 LEFT JOIN api_keys k ON k.id = e.key_id
                 LEFT JOIN principals o ON o.id = k.principal_id
                 LEFT JOIN principals s ON s.id = e.person_id
                WHERE e.id <= ? ORDER BY e.id DESC LIMIT ?`;
  return mapQuery(select<Row>(sql, [upToId, limit]), (rows) =>
    rows.map((row) => ({
      id: row.id,
      occurredAt: fromDatetime(row.occurred_at),
      what: row.what,
      reason: row.reason,
      principal: joinedPrincipal(row),
      keyId: row.key_id,
      keyOwner: row.key_owner,
      personId: row.person_id,
      personName: row.person_name,
      route: row.route,
      address: row.address,
      count: row.count,
    })),
  );
}

/** The highest id; 0 where there is none. */
export function newestAccessEvent(): Query<number> {
  return mapQuery(
    select<{ id: number | null }>('SELECT MAX(id) AS id FROM access_events'),
    ([row]) => row?.id ?? 0,
  );
}

/** Removes events up to a time, or up to an id; at most `limit` of each, so that no lock is held for long. */
export function deleteAccessEvents(upTo: { time: Instant; id: number }, limit: number): Statement[] {
  return [
    {
      sql: 'DELETE FROM access_events WHERE occurred_at <= ? ORDER BY occurred_at, id LIMIT ?',
      parameters: [toDatetime(upTo.time), limit],
    },
    {
      sql: 'DELETE FROM access_events WHERE id <= ? ORDER BY id LIMIT ?',
      parameters: [upTo.id, limit],
    },
  ];
}
