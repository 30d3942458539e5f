import type { PoolConnection, QueryResult } from 'mysql2';
import { failureOf, type Failure } from './failures';
import { promiseWithin } from './within';

export type Parameter = string | number | bigint | Buffer | null | Parameter[];

/** SQL, and what its question marks stand for. */
export interface Statement {
  sql: string;
  parameters?: Parameter[];
}

/** Statements that travel in one packet, and what their results mean: one result for each. */
export interface Query<T> {
  statements: Statement[];
  read(results: unknown[]): T;
}

/** One SELECT. */
export function select<Row>(sql: string, parameters: Parameter[] = []): Query<Row[]> {
  return { statements: [{ sql, parameters }], read: ([result]) => rowsOf<Row>(result) };
}

/** Two queries in one packet. */
export function both<A, B>(first: Query<A>, second: Query<B>): Query<[A, B]> {
  const size = first.statements.length;
  return {
    statements: [...first.statements, ...second.statements],
    read: (results) => [first.read(results.slice(0, size)), second.read(results.slice(size))],
  };
}

/** Any number of queries in one packet. */
export function all<T>(queries: Query<T>[]): Query<T[]> {
  const none: Query<T[]> = { statements: [], read: () => [] };
  return queries.reduce(
    (before, next) => mapQuery(both(before, next), ([list, last]) => [...list, last]),
    none,
  );
}

/** The same query with what `map` makes of its answer. */
export function mapQuery<T, U>(query: Query<T>, map: (answer: T) => U): Query<U> {
  return { statements: query.statements, read: (results) => map(query.read(results)) };
}

/** A trust boundary: the columns of a SELECT are what its author says that they are. */
export function rowsOf<Row>(result: unknown): Row[] {
  return result as Row[];
}

export interface SendOptions {
  /** How long to wait for the answer to this packet. */
  timeoutMs?: number;
  /** Whether the statements end the transaction. After an error in the middle it is rolled back on release. */
  ends?: boolean;
}

/**
 * Failures after which a connection is not used again. After a failover of a server that has become read-only, a new one
 * leads to another server; one that has sent too much is closed by the server.
 */
const BREAKING = new Set<Failure | undefined>(['unreachable', 'unwritable', 'packet-too-large']);

/** One borrowed connection. */
export class Session {
  private broken = false;
  /** Whether a transaction may be open. */
  private open = false;

  constructor(
    private readonly connection: PoolConnection,
    private readonly timeoutMs: number,
    /** A session for commands: its first statement begins a transaction. */
    private readonly isForCommands: boolean,
  ) {}

  /** Rows of one SELECT. */
  async rows<Row>(sql: string, parameters: Parameter[] = []): Promise<Row[]> {
    return this.ask(select<Row>(sql, parameters));
  }

  /** The answer to a query. Several statements in one packet: only on the pool for commands. */
  async ask<T>(query: Query<T>, options: SendOptions = {}): Promise<T> {
    return query.read(await this.send(query.statements, options));
  }

  /** Sends statements in one packet; one result for each. Several of them: only on the pool for commands. */
  async send(
    statements: Statement[],
    { timeoutMs = this.timeoutMs, ends = false }: SendOptions = {},
  ): Promise<unknown[]> {
    if (statements.length === 0) return [];
    this.open ||= this.isForCommands;
    const sql = statements.map(({ sql }) => sql).join(';');
    const values = statements.flatMap(({ parameters = [] }) => parameters);
    try {
      const answer = await promiseWithin<QueryResult>(timeoutMs, 'answer of MySQL', (resolve, reject) => {
        this.connection.query(sql, values, (error, result) => (error ? reject(error) : resolve(result)));
      });
      if (ends) this.open = false;
      // Of one statement mysql2 gives the result, of several a list of them.
      return statements.length === 1 ? [answer] : rowsOf<unknown>(answer);
    } catch (error) {
      this.broken ||= BREAKING.has(failureOf(error));
      throw error;
    }
  }

  /**
   * A snapshot of everything at one moment. The isolation level is set first, because `WITH CONSISTENT SNAPSHOT` is
   * silently ignored under READ COMMITTED.
   */
  async beginSnapshot(): Promise<void> {
    this.open = true;
    await this.send([{ sql: 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ' }]);
    await this.send([{ sql: 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY' }]);
  }

  /** Back to the pool, without an open transaction; a connection that failed is closed instead. */
  async release(): Promise<void> {
    try {
      if (this.open && !this.broken) await this.send([{ sql: 'ROLLBACK' }]);
    } catch {
      // The rollback failed with its connection, and the server rolls back what a closed connection left open.
      this.broken = true;
    }
    if (this.broken) this.connection.destroy();
    else this.connection.release();
  }
}
