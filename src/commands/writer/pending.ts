import type { EventId } from '../../domain/ids';
import { Problem } from '../../domain/problems';
import { mysqlUnreachable } from '../../mysql/pool';
import type { Command } from './command';
import type { Receipt } from './receipts';

/** Where a command stands; it decides what the deadline means. */
type Stage = 'waiting' | 'looking-up' | 'sent';

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/** Who waits for the answer to a command. */
export interface Caller<Told = unknown> {
  receive(receipt: Receipt): void;
  tell(told: Told): void;
  fail(error: unknown): void;
}

/** A command on its way through the writer. Its caller is answered at the deadline whatever happens. */
export class Pending {
  stage: Stage = 'waiting';
  isAnswered = false;
  /** A COMMIT of this command was not answered, and may still be on its way to the server. */
  isInDoubt = false;
  /** Whether it was looked up what an earlier request with its key left in the log. */
  areReceiptsRead = false;
  /** Why its last attempt failed. */
  failure: unknown;
  /** Of `performance.now()`. */
  private readonly deadline: number;
  private readonly timer: NodeJS.Timeout;
  private pauseMs = FIRST_PAUSE_MS;

  /** @param timeoutMs from now on. */
  constructor(
    readonly command: Command,
    private readonly timeoutMs: number,
    private readonly caller: Caller,
  ) {
    this.deadline = performance.now() + timeoutMs;
    this.timer = setTimeout(() => this.fail(this.lateProblem()), timeoutMs);
  }

  get id(): EventId {
    return this.command.identity.eventId;
  }

  get shares(): boolean {
    return this.command.kind.shares;
  }

  /** Whether the log may hold the command: by another request with its key, or by an earlier attempt of its own. */
  get mayBeLogged(): boolean {
    return this.command.identity.requestHash !== null || this.isInDoubt;
  }

  /** Whether it may have been carried out without our knowing: then nobody may say that nothing was changed. */
  get mayBeDone(): boolean {
    return this.isInDoubt || (this.mayBeLogged && !this.areReceiptsRead);
  }

  /** Whether too little time is left to send it: MySQL may need the last third for its answer. */
  get isLate(): boolean {
    return performance.now() > this.deadline - this.timeoutMs / 3;
  }

  /** How long to wait until a locked row is asked for again; longer each time. */
  nextPauseMs(): number {
    const pauseMs = this.pauseMs;
    this.pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    return pauseMs;
  }

  receive(receipt: Receipt): void {
    // What is found of a command that is in doubt is its own late COMMIT, and no replay.
    const replayed = receipt.replayed && !this.isInDoubt;
    if (this.isFirstAnswer()) this.caller.receive({ ...receipt, replayed });
  }

  tell(told: unknown): void {
    if (this.isFirstAnswer()) this.caller.tell(told);
  }

  fail(error: unknown): void {
    if (this.isFirstAnswer()) this.caller.fail(error);
  }

  /** What to answer where there is no time left. */
  lateProblem(): Problem {
    if (this.stage === 'sent' || this.mayBeDone) return outcomeUnknown(this.failure);
    if (this.stage === 'looking-up') return mysqlUnreachable(this.failure);
    return new Problem(
      'overloaded',
      'The command waited for its turn or for a locked row for too long; nothing was changed.',
      { retryAfterSeconds: 1, cause: this.failure },
    );
  }

  private isFirstAnswer(): boolean {
    const isFirst = !this.isAnswered;
    this.isAnswered = true;
    clearTimeout(this.timer);
    return isFirst;
  }
}

export function outcomeUnknown(cause: unknown): Problem {
  const detail =
    'MySQL has not told whether the command was carried out: retry with the same Idempotency-Key to learn it.';
  return new Problem('outcome-unknown', detail, { retryAfterSeconds: 2, cause });
}
