/** What a failed statement means for the one who sent it: mysql2's errors translated into facts. */
export type Failure =
  /** The transaction lost a race for a lock; nothing of it was kept. Try again. */
  | 'lock-conflict'
  /** A unique key already has this value. */
  | 'duplicate'
  /** Other rows still refer to the row that was to be deleted. */
  | 'referenced'
  /** The row refers to one that does not exist. */
  | 'missing-reference'
  /** The connection failed, or the server is going away: whether the statement was carried out is not known. */
  | 'unreachable'
  /** The pool's queue is full. */
  | 'overloaded';

const BY_ERRNO = new Map<number, Failure>([
  [1205, 'lock-conflict'], // ER_LOCK_WAIT_TIMEOUT
  [1213, 'lock-conflict'], // ER_LOCK_DEADLOCK
  [1020, 'lock-conflict'], // ER_CHECKREAD: MariaDB's snapshot isolation noticed a concurrent write
  [1062, 'duplicate'], // ER_DUP_ENTRY
  [1451, 'referenced'], // ER_ROW_IS_REFERENCED_2
  [1452, 'missing-reference'], // ER_NO_REFERENCED_ROW_2
  [1040, 'unreachable'], // ER_CON_COUNT_ERROR
  [1053, 'unreachable'], // ER_SERVER_SHUTDOWN
  [1203, 'unreachable'], // ER_TOO_MANY_USER_CONNECTIONS
  [1290, 'unreachable'], // ER_OPTION_PREVENTS_STATEMENT: read-only, as after a failover
  [1317, 'unreachable'], // ER_QUERY_INTERRUPTED
  [1792, 'unreachable'], // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  [1836, 'unreachable'], // ER_READ_ONLY_MODE
  [1927, 'unreachable'], // MariaDB: ER_CONNECTION_KILLED
  [3169, 'unreachable'], // ER_SESSION_WAS_KILLED
  [4031, 'unreachable'], // ER_CLIENT_INTERACTION_TIMEOUT
]);

const NODE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT', // the server's socket file is not there
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR',
  'PROTOCOL_ENQUEUE_AFTER_QUIT',
  'TALLY_TIMEOUT',
]);

/** The fact behind an error of mysql2; undefined where it is a fault of the program (bad SQL, bad data). */
export function failureOf(error: unknown): Failure | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { errno, code, fatal, message } = error as Record<'errno' | 'code' | 'fatal' | 'message', unknown>;
  if (typeof errno === 'number' && BY_ERRNO.has(errno)) return BY_ERRNO.get(errno);
  if (typeof code === 'string' && NODE_CODES.has(code)) return 'unreachable';
  if (message === 'Queue limit reached.') return 'overloaded';
  if (message === 'Pool is closed.' || fatal === true) return 'unreachable';
  return undefined;
}
