import type { Instant } from '../../domain/ids';
import { mapQuery, select, type Query, type Statement } from '../session';
import { fromDatetime, toDatetime } from '../time';

export interface LoginFailures {
  subject: string;
  failures: number;
  failedAt: Instant;
  lockedUntil: Instant;
}

/** Those of these subjects that have failed, locked until the transaction ends. */
export function lockFailures(subjects: string[]): Query<LoginFailures[]> {
  // In one order, so that two logins cannot wait for each other.
  const sql = `SELECT CONVERT(subject USING utf8mb4) AS subject, failures, failed_at, locked_until FROM login_failures
                WHERE subject IN (?) ORDER BY subject FOR UPDATE`;
  return mapQuery(
    select<{ subject: string; failures: number; failed_at: string; locked_until: string }>(sql, [subjects]),
    (rows) =>
      rows.map(({ subject, failures, failed_at, locked_until }) => ({
        subject,
        failures,
        failedAt: fromDatetime(failed_at),
        lockedUntil: fromDatetime(locked_until),
      })),
  );
}

export function setFailures({ subject, failures, failedAt, lockedUntil }: LoginFailures): Statement {
  const values = [failures, toDatetime(failedAt), toDatetime(lockedUntil)];
  return {
    sql: `INSERT INTO login_failures (subject, failures, failed_at, locked_until) VALUES (?, ?, ?, ?)
          ON DUPLICATE KEY UPDATE failures = ?, failed_at = ?, locked_until = ?`,
    parameters: [subject, ...values, ...values],
  };
}

export function forgetFailures(subjects: string[]): Statement {
  return { sql: 'DELETE FROM login_failures WHERE subject IN (?)', parameters: [subjects] };
}

/** Those that failed last before this time; some at a time. */
export function forgetOldFailures(before: Instant): Statement {
  return {
    sql: 'DELETE FROM login_failures WHERE failed_at < ? LIMIT 100',
    parameters: [toDatetime(before)],
  };
}
