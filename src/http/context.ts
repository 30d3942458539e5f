import type { Writer } from '../commands/writer/writer';
import type { LogPosition } from '../domain/log-position';
import type { Minor } from '../domain/money';
import type { Database } from '../mysql/pool';
import type { ReadModelStatus, Readiness } from '../projections/status';
import type { Reader } from '../read-model/reader';
import type { Metrics } from './metrics';

/** What the routes need; put together in app.ts. */
export interface HttpContext {
  writer: Writer;
  /** The highest total of one order. */
  maxOrderTotal: Minor;
  reader: Reader;
  /** For reading products and users. */
  database: Database;
  /** For logins and logouts. */
  writes: Database;
  metrics: Metrics;
  /** Whether the reports contain a log position, waiting for it within `PROJECTION_WAIT_MS`. */
  awaitProjected(at: LogPosition): Promise<boolean>;
  readModelStatus(): Promise<ReadModelStatus>;
  readiness(): Promise<Readiness>;
}
