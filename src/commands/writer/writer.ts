import { setTimeout as delay } from 'node:timers/promises';
import { inParallel } from '../../concurrency';
import type { EventType } from '../../domain/events';
import { Problem } from '../../domain/problems';
import type { Appended } from '../../mysql/append';
import { failureOf } from '../../mysql/failures';
import { unreachableProblem, type Database } from '../../mysql/pool';
import type { CommandKind, Request } from './command';
import { GroupCommit } from './group-commit';
import { resolveInDoubt } from './in-doubt';
import { outcomeUnknown, Pending, type Caller } from './pending';
import { isReceiptOf, receiptOf, type Receipt } from './receipts';
import { carryOut, CommitInDoubt, type Outcome } from './transaction';
import { WriteHealth } from './write-health';

export interface CommitListener {
  /** A transaction with this many commands was committed; transactions may be told out of order. */
  committed(appended: Appended, commands: number): void;
  /** Something may have been committed whose events are not at hand. */
  nudge(): void;
}

export interface WriterOptions {
  /** The deadline of a command from its arrival; and how long to ask what became of a COMMIT that was not answered. */
  timeoutMs: number;
  /** Commands that may wait for their turn. */
  maxWaiting: number;
}

/** Attempts of a command that is carried out alone, and of a group as one. */
const MAX_ATTEMPTS = 6;
/**
 * Commands of a failed group that are carried out alone at a time. Each may hold a connection: of the default pool, some
 * are left for the others; in a smaller pool they wait for one another.
 */
const MAX_ALONE = 8;

/**
 * Carries out commands, in transactions whose last act is the append to the log. How many commands share a transaction is
 * this class's own affair: its callers hand in one command and are answered for that one.
 */
export class Writer {
  readonly health = new WriteHealth();
  private readonly queue: GroupCommit<Pending>;

  constructor(
    private readonly database: Database,
    private readonly listener: CommitListener,
    private readonly options: WriterOptions,
  ) {
    this.queue = new GroupCommit<Pending>({
      carryOut: (group, yieldTurn) => this.carryOutGroup(group, yieldTurn),
      maxWaiting: options.maxWaiting,
    });
  }

  /**
   * Carries out a command; it is answered within `timeoutMs`.
   * @throws Problem where the command is refused or could not be carried out.
   */
  async execute<Input, Facts, Row, T extends EventType, Told>(
    kind: CommandKind<Input, Facts, Row, T, Told>,
    input: Input,
    { identity, now, actor }: Request,
  ): Promise<Receipt<T> | Told> {
    return new Promise((resolve, reject) => {
      const caller: Caller<Told> = {
        receive: (receipt) => {
          // What is found of an earlier request proves only that MySQL can be read.
          if (!receipt.replayed) this.health.succeeded();
          if (isReceiptOf(receipt, kind.events)) resolve(receipt);
          else reject(new Error(`a command left ${receipt.logged.event.type} in the log`));
        },
        tell: (told) => resolve(told),
        fail: (error) => {
          this.health.failed(error);
          reject(error);
        },
      };
      const command = { kind, input, identity, now, actor };
      this.queue.add(new Pending(command, this.options.timeoutMs, caller));
    });
  }

  /** A group that fails as a whole goes once more as a group; then its commands are carried out alone. */
  private async carryOutGroup(group: Pending[], yieldTurn: () => void): Promise<void> {
    // Look-ups and locks take less, so its connection is dead: the others must not wait until that is certain.
    const timer = setTimeout(yieldTurn, this.options.timeoutMs / 2);
    const isDone = (await this.attempt(group, yieldTurn)) || (await this.attemptAgain(group));
    clearTimeout(timer);
    if (isDone) return;
    const left = group.filter(({ isAnswered }) => !isAnswered);
    // Not one by one where MySQL is away: they would all wait for it one after the other.
    if (left.length > 1 && left.every(({ failure }) => unreachableProblem(failure) !== undefined)) {
      for (const pending of left) pending.fail(finalProblem(pending));
      return;
    }
    await inParallel(left, MAX_ALONE, async (pending) => {
      // The failure of a group need not be that of each of its commands.
      if (group.length > 1 && (await this.attempt([pending]))) return;
      await this.retry(pending);
    });
  }

  /**
   * Once; and again each time that a request was carried out by another instance, too. The next look-up finds what that one
   * left in the log, so each time there is one less. Alone, the others would lose much for it.
   */
  private async attemptAgain(group: Pending[]): Promise<boolean> {
    if (group.length === 1) return false;
    for (let attempt = 2; attempt <= MAX_ATTEMPTS; attempt++) {
      if (await this.attempt(group)) return true;
      if (!group.some(({ isAnswered, failure }) => !isAnswered && failureOf(failure) === 'duplicate')) break;
    }
    return false;
  }

  private async retry(pending: Pending): Promise<void> {
    for (let attempt = 2; attempt <= MAX_ATTEMPTS && mayRetry(pending.failure, attempt); attempt++) {
      await delay(Math.random() * 5 * 2 ** attempt);
      if (await this.attempt([pending])) return;
    }
    pending.fail(finalProblem(pending));
  }

  /**
   * Carries out those that are not answered yet, in one transaction.
   * @param onFailure told at once: finding out what became of it may take long.
   * @returns whether it came to an end; if not, each command that is left knows the failure.
   */
  private async attempt(group: Pending[], onFailure: () => void = () => undefined): Promise<boolean> {
    const open = group.filter(({ isAnswered }) => !isAnswered);
    if (open.length === 0) return true;
    const transaction = await carryOut(this.database, open, this.options.timeoutMs).catch(
      (error: unknown) => ({ error }),
    );
    if ('error' in transaction) {
      onFailure();
      await this.noteFailure(open, transaction.error);
      return false;
    }
    const { outcomes, appended, accepted } = transaction;
    if (appended !== undefined) this.listener.committed(appended, accepted);
    for (const [pending, outcome] of outcomes) this.settle(pending, outcome);
    return true;
  }

  private async noteFailure(group: Pending[], error: unknown): Promise<void> {
    const failure: unknown = error instanceof CommitInDoubt ? error.cause : error;
    for (const pending of group) pending.failure = failure;
    if (error instanceof CommitInDoubt) await this.resolve(group.filter(({ stage }) => stage === 'sent'));
    // Where MySQL did not answer, the deadline says so.
    if (failureOf(failure) !== 'unreachable') for (const pending of group) pending.stage = 'waiting';
  }

  /** Finds out what became of commands whose COMMIT was not answered: all of them were carried out, or none. */
  private async resolve(sent: Pending[]): Promise<void> {
    const ids = sent.map(({ id }) => id);
    const found = await resolveInDoubt(this.database, ids, this.options.timeoutMs);
    if (found === undefined || found.size > 0) this.listener.nudge();
    for (const pending of sent) {
      const event = found?.get(pending.id);
      if (found === undefined) pending.fail(outcomeUnknown(pending.failure));
      else if (event !== undefined) {
        pending.isInDoubt = true; // what is found is its own COMMIT, and no replay
        this.settle(pending, receiptOf(event, pending.command.identity));
      } else {
        // An error that the server itself sent leaves nothing under way.
        pending.isInDoubt ||= failureOf(pending.failure) === 'unreachable';
        pending.stage = 'waiting';
      }
    }
  }

  private settle(pending: Pending, outcome: Outcome): void {
    if (pending.isAnswered) return;
    if (outcome === 'locked') this.queue.comeBack(pending, pending.nextPauseMs());
    else if (outcome instanceof Problem) pending.fail(outcome);
    else if ('told' in outcome) pending.tell(outcome.told);
    else pending.receive(outcome);
  }
}

function finalProblem({ mayBeDone, failure }: Pending): unknown {
  if (mayBeDone) return outcomeUnknown(failure);
  const kind = failureOf(failure);
  if (kind === 'check') {
    const detail = 'The sum of all orders would be beyond what reports can state exactly.';
    return new Problem('sum-bound-reached', detail, { cause: failure });
  }
  if (kind === 'lock-conflict') {
    const detail = 'The command lost every race for its locks; nothing was changed.';
    return new Problem('overloaded', detail, { retryAfterSeconds: 1, cause: failure });
  }
  if (kind === 'packet-too-large') {
    const detail =
      'Its statements are beyond max_allowed_packet, which is to be raised; nothing was changed.';
    return new Problem('too-large-for-mysql', detail, { retryAfterSeconds: 60, cause: failure });
  }
  return unreachableProblem(failure) ?? failure;
}

/** @param attempt the number of the next one. */
function mayRetry(error: unknown, attempt: number): boolean {
  switch (failureOf(error)) {
    case 'lock-conflict':
    case 'duplicate': // a duplicate request was faster, or a name is taken now: the next look-up shows it
    case 'referenced':
    case 'missing-reference': // a product or user was deleted under us: the next look-up shows it
    case 'impossible-value': // MySQL handed out other ids than expected
      return true;
    case 'unreachable':
      return attempt <= 2; // perhaps only this connection was dead
    case 'check':
    case 'unwritable':
    case 'packet-too-large':
    case 'overloaded':
    case undefined:
      return false;
  }
}
