import type { EventType } from '../../domain/events';
import type { EventId, Instant, PrincipalId } from '../../domain/ids';
import type { Problem } from '../../domain/problems';
import type { Statable } from '../../mysql/append';
import type { Dialect } from '../../mysql/dialect';
import type { Query, Statement } from '../../mysql/session';
import type { CommandIdentity } from './identity';

/** Who asks, and when. */
export interface Request {
  identity: CommandIdentity;
  now: Instant;
  /** Undefined where nobody has to say who he is, and for what Tally does by itself. */
  actor: PrincipalId | undefined;
}

/**
 * A kind of command: what to look up for many of them at once, what to decide, and which rows to write. The writer does
 * the rest (transaction.ts). A group of commands is a fold of `decide` in the order in which they came.
 * @typeParam Input what is asked for.
 * @typeParam Facts what MySQL says about the inputs.
 * @typeParam Row what an accepted command writes.
 * @typeParam T the type of a command's own event: the last that it leaves in the log.
 * @typeParam Told what a caller is told instead of a receipt where there is nothing to write.
 */
export interface CommandKind<Input, Facts, Row, T extends EventType, Told = never> {
  /** The types that a command's own event may have. */
  readonly events: readonly T[];
  /** Whether its commands share a transaction with others; if not, each has a transaction of its own. */
  readonly shares: boolean;
  /** The look-ups travel in one packet. A kind that does not share is asked for one input, and to write one row. */
  lookUp(inputs: NonEmpty<Input>, dialect: Dialect): Query<Facts>;
  /** What else to look up where the facts leave something open, in a second packet; returns all facts. */
  lookUpRest?(inputs: NonEmpty<Input>, facts: Facts): Query<Facts> | undefined;
  /** Pure. `accepted` holds the rows of the commands of this kind that the same transaction has accepted before. */
  decide(facts: Facts, accepted: readonly Row[], input: Input, now: Instant): Decision<Row, Told>;
  /** Of all accepted commands. At most one INSERT among them gets its ids from MySQL (tables/inserted.ts). */
  write(rows: NonEmpty<Row>): Statement[];
}

export type NonEmpty<T> = [T, ...T[]];

export type Decision<Row, Told = never> =
  | Acceptance<Row>
  /** The command is refused. */
  | Problem
  /** Its rows exist, but somebody has locked them: ask again soon. */
  | 'locked'
  /** There is nothing to write. */
  | { told: Told };

export interface Acceptance<Row> {
  row: Row;
  /**
   * What to append to the log; the last one is the command's own event. Of a reconciliation and of an import it may carry a
   * correction's id, by which an in-doubt commit is not found. The next attempt then finds nothing to do, as it should.
   */
  events: Draft[];
}

/** An event without the identity that its command gives to it. */
export interface Draft extends Statable {
  /** Where the event corrects the log: see `correctionId`. */
  eventId?: EventId;
}

/** A command, ready to be carried out. */
export interface Command extends Request {
  kind: CommandKind<unknown, unknown, unknown, EventType, unknown>;
  input: unknown;
}
