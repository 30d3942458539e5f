import type { LogId } from '../domain/ids';

/** Enough of a log's id to tell all logs apart that will ever share a Redis, in names that repeat it millions of times. */
const LOG_DIGITS = 12;

/**
 * The roots of all key spaces. Every key of Tally begins with one of them, or with a hash tag that does.
 *
 * The read model of a log: two databases on one Redis never meet, because each has a log of its own.
 */
export function readModelRoot(prefix: string, logId: LogId): string {
  return `${prefix}-${logId.slice(0, LOG_DIGITS)}`;
}
