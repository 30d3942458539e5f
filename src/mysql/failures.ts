import { errorCode, errorMessage } from '../domain/errors';

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
  /** A CHECK of a table does not hold: the only one that a command can reach is the bound of the sums in `event_head`. */
  | 'check'
  /** A value is not one that its column takes, for example NULL for an id that is not what it must be. */
  | 'impossible-value'
  /** The connection failed, or the server is going away: whether the statement was carried out is not known. */
  | 'unreachable'
  /** The server answers, but takes no writes: it is read-only, or its disk is full. */
  | 'unwritable'
  /** Something is beyond `max_allowed_packet`, so nothing was committed. */
  | 'packet-too-large'
  /** The pool's queue is full. */
  | 'overloaded';

const BY_ERRNO = new Map<number, Failure>([
  [1205, 'lock-conflict'], // ER_LOCK_WAIT_TIMEOUT
  [1213, 'lock-conflict'], // ER_LOCK_DEADLOCK
  [1020, 'lock-conflict'], // ER_CHECKREAD: MariaDB's snapshot isolation noticed a concurrent write
  [1062, 'duplicate'], // ER_DUP_ENTRY
  [1451, 'referenced'], // ER_ROW_IS_REFERENCED_2
  [1452, 'missing-reference'], // ER_NO_REFERENCED_ROW_2
  [3819, 'check'], // ER_CHECK_CONSTRAINT_VIOLATED
  [4025, 'check'], // MariaDB: ER_CONSTRAINT_FAILED
  [1048, 'impossible-value'], // ER_BAD_NULL_ERROR
  [1690, 'impossible-value'], // ER_DATA_OUT_OF_RANGE
  [1040, 'unreachable'], // ER_CON_COUNT_ERROR
  [1053, 'unreachable'], // ER_SERVER_SHUTDOWN
  [1203, 'unreachable'], // ER_TOO_MANY_USER_CONNECTIONS
  [1317, 'unreachable'], // ER_QUERY_INTERRUPTED
  [1927, 'unreachable'], // MariaDB: ER_CONNECTION_KILLED
  [3169, 'unreachable'], // ER_SESSION_WAS_KILLED
  [4031, 'unreachable'], // ER_CLIENT_INTERACTION_TIMEOUT
  [1021, 'unwritable'], // ER_DISK_FULL
  [1026, 'unwritable'], // ER_ERROR_ON_WRITE
  [1030, 'unwritable'], // ER_GET_ERRNO: what the file system said, as a rule
  [1114, 'unwritable'], // ER_RECORD_FILE_FULL
  [1153, 'packet-too-large'], // ER_NET_PACKET_TOO_LARGE
  [1301, 'packet-too-large'], // ER_WARN_ALLOWED_PACKET_OVERFLOWED
  [1290, 'unwritable'], // ER_OPTION_PREVENTS_STATEMENT: read-only, as after a failover
  [1792, 'unwritable'], // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  [1836, 'unwritable'], // ER_READ_ONLY_MODE
]);

const READ_ONLY = new Set([1290, 1792, 1836]);

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
  const known = BY_ERRNO.get(errnoOf(error));
  if (known !== undefined) return known;
  if (NODE_CODES.has(errorCode(error) ?? '')) return 'unreachable';
  const message = errorMessage(error);
  if (message === 'Queue limit reached.') return 'overloaded';
  if (message === 'Pool is closed.' || ('fatal' in error && error.fatal === true)) return 'unreachable';
  return undefined;
}

/**
 * Whether an error of a packet that ends with COMMIT says for sure that nothing was committed: it came out of a statement
 * before. Anything else, even an error that the server sent, may have come out of the COMMIT itself.
 */
export function isBeforeCommit(error: unknown): boolean {
  const failure = failureOf(error);
  // A server that has become read-only also refuses the COMMIT itself, and rolls back.
  if (failure === 'unwritable') return isReadOnly(error);
  return failure !== undefined && failure !== 'unreachable';
}

function isReadOnly(error: unknown): boolean {
  return READ_ONLY.has(errnoOf(error));
}

function errnoOf(error: unknown): number {
  return typeof error === 'object' && error !== null && 'errno' in error ? Number(error.errno) : NaN;
}

/** Why the server could not be asked, for people. */
export function whyUnreachable(error: unknown): string {
  const errno = errnoOf(error);
  return errno === 1040 || errno === 1203 ? 'MySQL takes no further connections' : 'MySQL did not answer';
}

/** Why the server takes no writes, for people. */
export function whyUnwritable(error: unknown): string {
  return isReadOnly(error) ? 'MySQL is read-only' : 'MySQL cannot write, perhaps because its disk is full';
}
