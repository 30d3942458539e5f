import { promisify } from 'node:util';
import { createPool, type Pool, type PoolConnection } from 'mysql2';
import type { Config } from '../config';
import { Problem } from '../domain/problems';
import { dialectOf, type Dialect } from './dialect';
import { failureOf, whyUnreachable, whyUnwritable } from './failures';
import { Session } from './session';
import { promiseWithin } from './within';

/** Strict, and with backslash escapes: mysql2 escapes parameters on the client and relies on them. */
const SESSION_SQL = [
  `SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO'`,
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

/**
 * A session whose client was frozen must not keep its locks for longer than this. The pool closes idle connections well
 * before the server does, so that nobody is handed one that the server has just dropped.
 */
const WRITER_WAIT_TIMEOUT_S = 8;
const WRITER_IDLE_MS = 4_000;

const READ_CONNECTIONS = 8;
/** Reads that may wait for one of the connections; a quarter of a second. */
const READS_WAITING = 1_000;

/** Bytes. The fingerprints of the orders of one transaction are compared as one text; MySQL cuts it at 1024 by default. */
const GROUP_CONCAT_MAX_LEN = 1_000_000;

/** A pool of connections with bounds on everything: its size, its queue, the wait for a connection, each statement. */
export class Database {
  private knownDialect: Dialect | undefined;

  constructor(
    private readonly pool: Pool,
    private readonly timeoutMs: number,
    private readonly isForCommands: boolean,
    private readonly onAcquired: (waitSeconds: number) => void,
  ) {}

  /**
   * Borrows a connection for `work`; whatever happens, it goes back without an open transaction.
   * @param timeoutMs how long to wait for the connection, and for the answer to each packet.
   */
  async session<T>(work: (session: Session) => Promise<T>, timeoutMs = this.timeoutMs): Promise<T> {
    const session = new Session(await this.acquire(timeoutMs), timeoutMs, this.isForCommands);
    try {
      return await work(session);
    } finally {
      await session.release();
    }
  }

  /** Which dialect the server speaks; asked once. */
  async dialect(timeoutMs = this.timeoutMs): Promise<Dialect> {
    this.knownDialect ??= await this.session(dialectOf, timeoutMs);
    return this.knownDialect;
  }

  async close(): Promise<void> {
    await promisify(this.pool.end.bind(this.pool))();
  }

  private async acquire(timeoutMs: number): Promise<PoolConnection> {
    const startedAt = performance.now();
    // A connection that comes too late is nobody's: give it back.
    let isGivenUp = false;
    try {
      return await promiseWithin<PoolConnection>(timeoutMs, 'MySQL connection', (resolve, reject) => {
        this.pool.getConnection((error, connection) => {
          if (error) reject(error);
          else if (isGivenUp) connection.release();
          else resolve(connection);
        });
      });
    } catch (error) {
      isGivenUp = true;
      throw error;
    } finally {
      this.onAcquired((performance.now() - startedAt) / 1000);
    }
  }
}

export interface Databases {
  /**
   * For write transactions, which their first statement begins, and for reads of several statements, such as those of an
   * import: short waits, several statements in one packet.
   */
  commands: Database;
  /** For what requests read: the catalogue, and the log where a client asks for a position. */
  requests: Database;
  /** For the projector, resyncs and readiness: no number of requests takes it from them. */
  reads: Database;
  close(): Promise<void>;
}

/** Opens the pools; connects lazily. `onAcquired` is told how long each command waited for its connection. */
export function openDatabases(
  config: Pick<Config, 'DATABASE_URL' | 'MYSQL_POOL_SIZE' | 'MYSQL_QUEUE_LIMIT' | 'MYSQL_TIMEOUT_MS'>,
  onAcquired: (waitSeconds: number) => void = () => undefined,
): Databases {
  const { MYSQL_TIMEOUT_MS: timeoutMs } = config;
  const options = { ...connectionOptions(config.DATABASE_URL, timeoutMs), idleTimeout: WRITER_IDLE_MS };
  const commands = createPool({
    ...options,
    multipleStatements: true,
    connectionLimit: config.MYSQL_POOL_SIZE,
    maxIdle: config.MYSQL_POOL_SIZE - 1, // below the limit, or mysql2 never closes an idle connection
    queueLimit: config.MYSQL_QUEUE_LIMIT,
  });
  const readPool = () =>
    createPool({
      ...options,
      connectionLimit: READ_CONNECTIONS,
      maxIdle: READ_CONNECTIONS - 1,
      queueLimit: READS_WAITING,
    });
  const requests = readPool();
  const reads = readPool();
  // Within the third of the bound that a command's look-ups may take, so that the server's own error comes first.
  const lockWaitS = Math.max(1, Math.floor(timeoutMs / 3000));
  prepareSessions(
    commands,
    // Without autocommit, so that no statement is needed to begin a transaction: the server answers each by itself.
    `SET SESSION autocommit = 0, wait_timeout = ${WRITER_WAIT_TIMEOUT_S}, innodb_lock_wait_timeout = ${lockWaitS},
       group_concat_max_len = ${GROUP_CONCAT_MAX_LEN}`,
  );
  prepareSessions(requests);
  prepareSessions(reads);
  const databases = {
    commands: new Database(commands, timeoutMs, true, onAcquired),
    requests: new Database(requests, timeoutMs, false, () => undefined),
    reads: new Database(reads, timeoutMs, false, () => undefined),
  };
  return {
    ...databases,
    async close() {
      await Promise.all(Object.values(databases).map((database) => database.close()));
    },
  };
}

/** What every connection of Tally has in common: nothing is converted behind our back. */
export function connectionOptions(databaseUrl: string, timeoutMs: number) {
  return {
    uri: databaseUrl.replace(/^mariadb:/, 'mysql:'),
    timezone: 'Z',
    charset: 'utf8mb4',
    dateStrings: true,
    jsonStrings: true,
    supportBigNumbers: true,
    connectTimeout: timeoutMs,
    enableKeepAlive: true,
    // A stack for every statement, in case it fails, costs more than parsing its answer.
    trace: false,
  };
}

function prepareSessions(pool: Pool, ...statements: string[]): void {
  // mysql2 sends what is queued here before anything that the new connection's borrower sends.
  pool.on('connection', (connection: PoolConnection) => {
    for (const statement of [...SESSION_SQL, ...statements]) {
      connection.query(statement, (error) => {
        if (error) connection.destroy();
      });
    }
  });
}

/** Reads for a request. @throws Problem `overloaded`, `mysql-unreachable` */
export async function readFrom<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await database.session(work);
  } catch (error) {
    throw unreachableProblem(error) ?? error;
  }
}

/** The problem to answer where MySQL could not be asked; undefined for errors that mean something else. */
export function unreachableProblem(error: unknown): Problem | undefined {
  const failure = failureOf(error);
  if (failure === 'overloaded') return queueIsFull(error);
  if (failure === 'unwritable') return mysqlUnwritable(error);
  return failure === 'unreachable' ? mysqlUnreachable(error) : undefined;
}

export function mysqlUnreachable(cause: unknown): Problem {
  const detail = `${whyUnreachable(cause)}; nothing was changed.`;
  return new Problem('mysql-unreachable', detail, { retryAfterSeconds: 2, cause });
}

function mysqlUnwritable(cause: unknown): Problem {
  const detail = `${whyUnwritable(cause)}; nothing was changed.`;
  return new Problem('mysql-unwritable', detail, { retryAfterSeconds: 10, cause });
}

export function queueIsFull(cause?: unknown): Problem {
  const detail = 'Too many requests are waiting for MySQL; this one changed nothing.';
  return new Problem('overloaded', detail, { retryAfterSeconds: 1, cause });
}
