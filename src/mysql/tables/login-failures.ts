import type { Instant } from '../../domain/ids';
import { mapQuery, rowsOf, select, type Query, type Statement } from '../session';
import { fromDatetime, toDatetime } from '../time';

export interface LoginFailures {
  subject: string;
  failures: number;
  failedAt: Instant;
  lockedUntil: Instant;
}

interface Row {
  subject: string;
  failures: number;
  failed_at: string;
  locked_until: string;
}

/** What these subjects have failed, locked until the transaction ends; of a new one: nothing. */
export function lockFailures(subjects: string[], now: Instant): Query<LoginFailures[]> {
  // In one order, so that two logins cannot wait for each other.
  const ordered = subjects.toSorted();
  const none = [0, toDatetime(now), toDatetime(now)];
  return {
    statements: [
      // It locks the rows, also those that it inserts: a row that is not there cannot be locked by a SELECT.
      {
        sql: `INSERT INTO login_failures (subject, failures, failed_at, locked_until) VALUES ?
              ON DUPLICATE KEY UPDATE subject = subject`,
        parameters: [ordered.map((subject) => [subject, ...none])],
      },
      {
        sql: `SELECT CONVERT(subject USING utf8mb4) AS subject, failures, failed_at, locked_until FROM login_failures
               WHERE subject IN (?)`,
        parameters: [ordered],
      },
    ],
    read: ([, found]) =>
      rowsOf<Row>(found).map(({ subject, failures, failed_at, locked_until }) => ({
        subject,
        failures,
        failedAt: fromDatetime(failed_at),
        lockedUntil: fromDatetime(locked_until),
      })),
  };
}

export function setFailures({ subject, failures, failedAt, lockedUntil }: LoginFailures): Statement {
  return {
    sql: 'UPDATE login_failures SET failures = ?, failed_at = ?, locked_until = ? WHERE subject = ?',
    parameters: [failures, toDatetime(failedAt), toDatetime(lockedUntil), subject],
  };
}

/** An attempt that was counted did not fail: takes it back, and the lock that it began; with `count` 2, another one, too. */
export function takeBackFailure(subject: string, count = 1): Statement {
  return {
    sql: `UPDATE login_failures SET failures = GREATEST(failures, ?) - ?, locked_until = failed_at
           WHERE subject = ? AND failures > 0`,
    parameters: [count, count, subject],
  };
}

export function forgetFailures(subjects: string[]): Statement {
  return { sql: 'DELETE FROM login_failures WHERE subject IN (?)', parameters: [subjects] };
}

/** Some of those that failed last before this time, locked. Skips what others have locked, so it waits for nobody. */
export function lockOldFailures(before: Instant): Query<string[]> {
  return mapQuery(
    select<{ subject: string }>(
      `SELECT CONVERT(subject USING utf8mb4) AS subject FROM login_failures
        WHERE failed_at < ? LIMIT 100 FOR UPDATE SKIP LOCKED`,
      [toDatetime(before)],
    ),
    (rows) => rows.map(({ subject }) => subject),
  );
}
