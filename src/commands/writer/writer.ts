import { setTimeout as delay } from 'node:timers/promises';
import { settleAll } from '../../concurrency';
import { Problem } from '../../domain/problems';
import type { LoggedEvent } from '../../domain/events';
import { unreachableProblem, type Database } from '../../mysql/pool';
import { failureOf } from '../../mysql/failures';
import {
  appendAndCommit,
  CommitOutcomeUnknown,
  findCommandsUnderHeadLock,
  type Appended,
} from '../../mysql/log';
import { Batches } from './group-commit';
import { alone, identified, NothingToDo, type Command, type SharedCommand } from './command';
import { commandIds, findReceipt, hexOf, problemOr, receiptOf, replayOf, type Receipt } from './receipts';
import { carryOutTogether } from './shared-transaction';

export interface CommitListener {
  /** Events were committed; they may be told out of order. */
  committed(appended: Appended): void;
  /** Something may have been committed whose events are not at hand. */
  nudge(): void;
}

const MAX_ATTEMPTS = 6;
const RESOLVE_PAUSE_MS = 100;
/** Commands of a batch that are carried out alone at a time; those that wait for a lock hold a connection each. */
const MAX_ALONE = 16;

/**
 * Carries out commands, each in a transaction whose last act is the append to the log. How many commands share a
 * transaction is this class's own affair: its callers hand in one command and are answered for that one.
 */
export class Writer {
  private readonly batches: Batches<SharedCommand<unknown>, Receipt>;

  constructor(
    private readonly database: Database,
    private readonly listener: CommitListener,
    private readonly options: {
      /** How long a command waits for its turn, and how long to ask what became of a COMMIT that was not answered. */
      timeoutMs: number;
      /** Commands that may wait to be carried out together. */
      maxWaiting: number;
    },
  ) {
    this.batches = new Batches({
      carryOut: (batch, yieldTurn) => this.carryOut(batch, yieldTurn),
      identityOf: ({ identity }) => hexOf(identity),
      maxWaiting: options.maxWaiting,
      maxWaitMs: options.timeoutMs,
    });
  }

  /**
   * As `execute`, in one transaction with other commands that arrive meanwhile.
   * @throws Problem where the command is refused or could not be carried out.
   */
  async executeTogether<Input>(command: SharedCommand<Input>): Promise<Receipt> {
    return this.batches.add(command);
  }

  /**
   * @param earlier an attempt of this command that was not answered, and whose packet may still be on its way.
   * @param onFailure told when an attempt failed: from then on it may take long.
   * @throws Problem where the command is refused or could not be carried out.
   */
  async execute(
    command: Command,
    earlier?: CommitOutcomeUnknown,
    onFailure: () => void = () => undefined,
  ): Promise<Receipt> {
    const deadline = performance.now() + this.options.timeoutMs;
    /** A COMMIT of ours that was not answered and is not in the log, but whose packet may still be on its way. */
    let orphan = earlier;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(command, mayBeLogged(command, orphan));
      } catch (error) {
        if (error instanceof Problem) return await this.twinOf(command, error, mayBeLogged(command, orphan));
        onFailure();
        let failed = error;
        if (error instanceof CommitOutcomeUnknown) {
          const [found] = await this.resolve([command], error);
          if (found instanceof Problem) throw found;
          if (found !== undefined) return found;
          // An error that the server itself sent leaves nothing under way.
          if (failureOf(error.cause) === 'unreachable') orphan = error;
          failed = error.cause; // it is not carried out so far, for this reason
        }
        if (attempt < MAX_ATTEMPTS && mayRetry(failed, attempt, performance.now() >= deadline)) {
          await delay(Math.random() * 5 * 2 ** attempt);
          continue;
        }
        throw orphan === undefined ? finalProblem(failed) : outcomeUnknown(orphan);
      }
    }
  }

  /** As `execute`; undefined where there was nothing to do. */
  async executeIfNeeded(command: Command): Promise<Receipt | undefined> {
    try {
      return await this.execute(command);
    } catch (error) {
      if (error instanceof NothingToDo) return undefined;
      throw error;
    }
  }

  private async attempt(command: Command, mayBeLogged: boolean): Promise<Receipt> {
    const { identity } = command;
    const outcome = await this.database.session(async (session) => {
      if (mayBeLogged) {
        const earlier = await findReceipt(session, identity);
        if (earlier !== undefined) return earlier;
      }
      const events = await command.write(session);
      return appendAndCommit(session, identified(command, events));
    });
    if ('replayed' in outcome) return replayOf(outcome, command);
    this.listener.committed(outcome);
    return { logged: ownEvent(outcome), replayed: false };
  }

  /**
   * A command that is refused may have lost a race against itself: its twin waited for the same rows and was faster. Then
   * the twin's answer is the answer. @throws the problem where there is none.
   */
  private async twinOf(command: Command, problem: Problem, mayBeLogged: boolean): Promise<Receipt> {
    if (!mayBeLogged || problem.slug === 'idempotency-key-reused') throw problem;
    const twin = await this.database
      .session((session) => findReceipt(session, command.identity))
      .catch((error: unknown) => {
        throw unreachableProblem(error) ?? error; // refused, or carried out by its twin: that cannot be told
      });
    if (twin === undefined) throw problem;
    return replayOf(twin, command);
  }

  /** Settles every command of a batch. */
  private async carryOut(
    batch: SharedCommand<unknown>[],
    yieldTurn: () => void,
    attempt = 1,
  ): Promise<PromiseSettledResult<Receipt>[]> {
    if (batch.length === 1) {
      return Promise.allSettled(batch.map((command) => this.execute(alone(command), undefined, yieldTurn)));
    }
    const [shared] = await Promise.allSettled([carryOutTogether(this.database, batch)]);
    if (shared.status === 'rejected') return this.settleFailed(batch, shared.reason, yieldTurn, attempt);
    const { decisions, appended } = shared.value;
    if (appended !== undefined) this.listener.committed(appended);
    return settleAll(decisions, MAX_ALONE, async (decision, index) => {
      const command = alone(batch[index]);
      if (decision instanceof Problem) return this.twinOf(command, decision, mayBeLogged(command, undefined));
      return replayOf(decision, command);
    });
  }

  /** Settles every command of a batch that could not be carried out together. */
  private async settleFailed(
    batch: SharedCommand<unknown>[],
    error: unknown,
    yieldTurn: () => void,
    attempt: number,
  ): Promise<PromiseSettledResult<Receipt>[]> {
    const problem = unreachableProblem(error);
    if (problem !== undefined) {
      // Perhaps only this connection was dead. Not one by one: they would all wait for MySQL one after the other.
      if (attempt === 1) return this.carryOut(batch, yieldTurn, 2);
      return batch.map(() => ({ status: 'rejected', reason: problem }));
    }
    yieldTurn();
    if (error instanceof CommitOutcomeUnknown) return this.settleUnanswered(batch, error);
    // Which one is to blame is not known: one may wait for a lock that somebody holds, and the others must not wait with it.
    return settleAll(batch, MAX_ALONE, (command) => this.execute(alone(command)));
  }

  /** All of them were carried out, or none. */
  private async settleUnanswered(
    batch: SharedCommand<unknown>[],
    error: CommitOutcomeUnknown,
  ): Promise<PromiseSettledResult<Receipt>[]> {
    const [resolved] = await Promise.allSettled([this.resolve(batch, error)]);
    if (resolved.status === 'rejected') return batch.map(() => resolved);
    // An error that the server itself sent leaves nothing under way.
    const orphan = failureOf(error.cause) === 'unreachable' ? error : undefined;
    return settleAll(batch, MAX_ALONE, async (command, index) => {
      const found = resolved.value[index];
      if (found instanceof Problem) throw found;
      return found ?? this.execute(alone(command), orphan);
    });
  }

  /**
   * What became of commands whose COMMIT was not answered. A plain look-up proves nothing while the orphan may still be
   * committing; under the head lock, what is not in the log has not got that far. Its packet may still be on its way to the
   * server, or wait there for a row: then the unique command id lets only one of the two attempts commit.
   * @returns undefined for those that were not carried out.
   */
  private async resolve(
    commands: Pick<Command, 'identity'>[],
    cause: CommitOutcomeUnknown,
  ): Promise<(Receipt | Problem | undefined)[]> {
    const deadline = performance.now() + this.options.timeoutMs;
    for (;;) {
      try {
        const found = await this.database.session((session) =>
          findCommandsUnderHeadLock(session, commandIds(commands)),
        );
        if (found.size > 0) this.listener.nudge();
        return commands.map(({ identity }) => {
          const receipt = problemOr(() => receiptOf(found.get(hexOf(identity)), identity));
          return receipt instanceof Problem ? receipt : receipt && { ...receipt, replayed: false };
        });
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        if (performance.now() >= deadline) {
          throw outcomeUnknown(cause);
        }
        await delay(RESOLVE_PAUSE_MS);
      }
    }
  }
}

/** Whether the log may hold the command already: by another request with its key, or by an earlier attempt of our own. */
function mayBeLogged(
  { identity }: Pick<Command, 'identity'>,
  orphan: CommitOutcomeUnknown | undefined,
): boolean {
  return identity.requestHash !== null || orphan !== undefined;
}

function outcomeUnknown(cause: CommitOutcomeUnknown): Problem {
  const detail =
    'MySQL went away during the COMMIT: retry with the same Idempotency-Key to learn the outcome.';
  return new Problem('outcome-unknown', detail, { retryAfterSeconds: 2, cause });
}

function ownEvent({ events }: Appended): LoggedEvent {
  const own = events.at(-1);
  if (own === undefined) throw new Error('an append without events');
  return own;
}

/** `isLate`: the command has been at it for as long as it may wait. */
function mayRetry(error: unknown, attempt: number, isLate: boolean): boolean {
  switch (failureOf(error)) {
    case 'lock-conflict':
      return !isLate;
    case 'duplicate': // another request with the same key was faster: the next attempt finds its event
    case 'missing-reference': // a product or user was deleted under us: the next attempt says so
      return true;
    case 'unreachable':
      return attempt <= 2; // perhaps only this connection was dead
    case 'overloaded':
    case 'referenced':
    case undefined:
      return false;
  }
}

function finalProblem(error: unknown): unknown {
  if (failureOf(error) === 'lock-conflict') {
    return new Problem('overloaded', 'The command lost every race for its locks; nothing was changed.', {
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  return unreachableProblem(error) ?? error;
}
