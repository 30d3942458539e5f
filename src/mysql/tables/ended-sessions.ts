import type { Instant } from '../../domain/ids';
import { mapQuery, select, type Query, type Statement } from '../session';
import { toDatetime } from '../time';

/** Statements of one transaction remove no more than so many that are over by themselves. */
const MAX_REMOVED = 1000;

/** The ids, in hexadecimal, of sessions that were ended and would not be over by themselves. */
export function endedSessions(now: Instant): Query<string[]> {
  return mapQuery(
    select<{ id: string }>('SELECT LOWER(HEX(id)) AS id FROM ended_sessions WHERE until > ?', [
      toDatetime(now),
    ]),
    (rows) => rows.map(({ id }) => id),
  );
}

/** @param id in hexadecimal. @param until when the session would be over by itself. */
export function endSession(id: string, until: Instant, now: Instant): Statement[] {
  return [
    {
      sql: 'INSERT IGNORE INTO ended_sessions (id, until) VALUES (?, ?)',
      parameters: [Buffer.from(id, 'hex'), toDatetime(until)],
    },
    {
      sql: `DELETE FROM ended_sessions WHERE until <= ? LIMIT ${MAX_REMOVED}`,
      parameters: [toDatetime(now)],
    },
  ];
}
