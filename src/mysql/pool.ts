import {
  createPool,
  type Pool,
  type PoolConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';
import type { Config } from '../config';
import { Problem } from '../domain/problems';
import { failureOf } from './failures';
import { within } from './within';

type Parameter = string | number | bigint | Buffer | null | Parameter[];

/** Strict, and with backslash escapes: mysql2 escapes parameters on the client and relies on them. */
const SESSION_SQL = [
  `SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO'`,
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

/**
 * A session whose client was frozen must not keep its locks for longer than this. The pool closes idle connections well
 * before the server does, so that nobody is handed one that the server has just dropped.
 */
const WRITER_WAIT_TIMEOUT_S = 15;
const WRITER_IDLE_MS = 5_000;

/** SQL, and what its question marks stand for. */
export interface Statement {
  sql: string;
  parameters?: Parameter[];
}

/** One borrowed connection. */
export class Session {
  private broken = false;
  /** Whether a transaction may be open. */
  private open = false;
  /** What goes with the next statement. */
  private deferred: Statement[] = [];

  constructor(
    private readonly connection: PoolConnection,
    private readonly timeoutMs: number,
    /** A session for commands: its first statement begins a transaction. */
    private readonly isForCommands: boolean,
  ) {}

  /** Rows of one SELECT. */
  async rows<Row>(sql: string, parameters: Parameter[] = []): Promise<Row[]> {
    const [rows] = await this.together([{ sql, parameters }]);
    return rows as Row[];
  }

  /** One INSERT, UPDATE, DELETE or other statement without rows. */
  async write(sql: string, parameters: Parameter[] = []): Promise<ResultSetHeader> {
    const [header] = await this.together([{ sql, parameters }]);
    return header as ResultSetHeader;
  }

  /**
   * A statement whose result nobody needs: it goes in one packet with the next one, which then fails in its place. Only on
   * the pool for commands.
   */
  defer(sql: string, parameters: Parameter[] = []): void {
    this.deferred.push({ sql, parameters });
  }

  /**
   * Several statements in one packet; one result for each, without those that were deferred and went before them. Only on
   * the pool for commands.
   */
  async together(statements: Statement[]): Promise<unknown[]> {
    const sent = [...this.deferred, ...statements];
    this.deferred = [];
    if (this.isForCommands) this.open = true;
    const query = {
      sql: sent.map(({ sql }) => sql).join(';'),
      values: sent.flatMap(({ parameters = [] }) => parameters),
    };
    try {
      const asked = this.connection.query<RowDataPacket[] | ResultSetHeader>(query);
      const [answer] = await within(this.timeoutMs, 'answer of MySQL', asked);
      // Of one statement mysql2 gives the result, of several a list of them.
      const results = sent.length === 1 ? [answer] : (answer as unknown[]);
      return results.slice(-statements.length);
    } catch (error) {
      if (failureOf(error) === 'unreachable') this.broken = true;
      throw error;
    }
  }

  /** As `together`, for statements which end a transaction. After an error in the middle it is rolled back on release. */
  async ending(statements: Statement[]): Promise<unknown[]> {
    const results = await this.together(statements);
    this.open = false;
    return results;
  }

  /**
   * A snapshot of everything at one moment. The isolation level is set first, because `WITH CONSISTENT SNAPSHOT` is
   * silently ignored under READ COMMITTED.
   */
  async beginSnapshot(): Promise<void> {
    this.open = true;
    await this.write('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await this.write('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
  }

  async rollback(): Promise<void> {
    this.deferred = [];
    if (!this.open || this.broken) return;
    await this.write('ROLLBACK');
    this.open = false;
  }

  /** Back to the pool, without an open transaction; a connection that failed is closed instead. */
  async release(): Promise<void> {
    try {
      await this.rollback();
    } catch {
      // The rollback failed with its connection, and the server rolls back what a closed connection left open.
      this.broken = true;
    }
    if (this.broken) this.connection.destroy();
    else this.connection.release();
  }
}

/** A pool of connections with bounds on everything: its size, its queue, the wait for a connection, each statement. */
export class Database {
  constructor(
    private readonly pool: Pool,
    private readonly timeoutMs: number,
    private readonly isForCommands: boolean,
    private readonly onAcquired: (waitSeconds: number) => void,
  ) {}

  /** Borrows a connection for `work`; whatever happens, it goes back without an open transaction. */
  async session<T>(work: (session: Session) => Promise<T>, statementTimeoutMs = this.timeoutMs): Promise<T> {
    const session = new Session(await this.acquire(), statementTimeoutMs, this.isForCommands);
    try {
      return await work(session);
    } finally {
      await session.release();
    }
  }

  /** Rows of one SELECT outside a transaction. */
  async rows<Row>(sql: string, parameters: Parameter[] = []): Promise<Row[]> {
    return this.session((session) => session.rows<Row>(sql, parameters));
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async acquire(): Promise<PoolConnection> {
    const startedAt = performance.now();
    const acquiring = this.pool.getConnection();
    try {
      return await within(this.timeoutMs, 'MySQL connection', acquiring);
    } catch (error) {
      // One that comes too late is nobody's: give it back.
      acquiring.then(
        (connection) => connection.release(),
        () => undefined,
      );
      throw error;
    } finally {
      this.onAcquired((performance.now() - startedAt) / 1000);
    }
  }
}

export interface Databases {
  /** For write transactions only, which their first statement begins: short waits, several statements in one packet. */
  commands: Database;
  /** For everything else: the catalogue, the projector, snapshots. */
  reads: Database;
  close(): Promise<void>;
}

/** Opens both pools; connects lazily. `onAcquired` is told how long each command waited for its connection. */
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
  const reads = createPool({
    ...options,
    connectionLimit: 8,
    maxIdle: 7,
    queueLimit: config.MYSQL_QUEUE_LIMIT,
  });
  const lockWaitS = Math.max(1, Math.ceil(timeoutMs / 2000));
  prepareSessions(
    commands,
    // Without autocommit, so that no statement is needed to begin a transaction: the server answers each by itself.
    `SET SESSION autocommit = 0, wait_timeout = ${WRITER_WAIT_TIMEOUT_S}, innodb_lock_wait_timeout = ${lockWaitS}`,
  );
  prepareSessions(reads);
  const databases = {
    commands: new Database(commands, timeoutMs, true, onAcquired),
    reads: new Database(reads, timeoutMs, false, () => undefined),
  };
  return {
    ...databases,
    async close() {
      await Promise.all([databases.commands.close(), databases.reads.close()]);
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
  pool.on('connection', (connection) => {
    const raw = connection as unknown as {
      query(sql: string, done: (error: unknown) => void): void;
      destroy(): void;
    };
    for (const statement of [...SESSION_SQL, ...statements]) {
      raw.query(statement, (error) => {
        if (error) raw.destroy();
      });
    }
  });
}

/** The problem to answer where MySQL could not be asked; undefined for errors that mean something else. */
export function unreachableProblem(error: unknown): Problem | undefined {
  const failure = failureOf(error);
  if (failure === 'overloaded') {
    return queueIsFull(error);
  }
  if (failure === 'unreachable') {
    return new Problem('mysql-unreachable', 'MySQL did not answer; nothing was changed.', {
      retryAfterSeconds: 2,
      cause: error,
    });
  }
  return undefined;
}

export function queueIsFull(cause?: unknown): Problem {
  const detail = 'The queue of commands is full; nothing was changed.';
  return new Problem('overloaded', detail, { retryAfterSeconds: 1, cause });
}

/** An id that MySQL gave out. @throws Error beyond 2^53, where it could no longer be stated in JSON. */
export function safeId(id: number): number {
  if (Number.isSafeInteger(id)) return id;
  throw new Error(`MySQL gave out the id ${id}, beyond 2^53: set the table's AUTO_INCREMENT back below that`);
}
