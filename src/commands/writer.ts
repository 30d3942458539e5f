import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../errors';
import type { LoggedEvent, TallyEvent } from '../events';
import { unreachableProblem, type Database, type Session } from '../mysql/database';
import { failureOf } from '../mysql/failures';
import {
  appendAndCommit,
  CommitOutcomeUnknown,
  findCommand,
  findCommandUnderHeadLock,
  type Appended,
  type FoundCommand,
  type NewEvent,
} from '../mysql/log';
import { uniqueIdentity, type CommandIdentity } from './identity';

/** A command, ready to be carried out within a transaction. */
export interface Command {
  identity: CommandIdentity;
  /** When it was asked for; ISO 8601, UTC. */
  now: string;
  /**
   * Checks the command, writes its rows, and returns the events that it leaves behind, its own one last. It may be
   * called again after a rollback.
   * @throws Problem where the command is refused.
   * @throws NothingToDo (only with `executeIfNeeded`)
   */
  write(session: Session): Promise<[...TallyEvent[], TallyEvent]>;
}

/** What a command is for has been done already; the transaction is rolled back. */
export class NothingToDo extends Error {
  override readonly name = 'NothingToDo';
}

export interface Receipt {
  /** The command's own event. */
  logged: LoggedEvent;
  /** The command had been carried out before, and this is what it did then. */
  replayed: boolean;
}

export interface CommitListener {
  /** Events were committed; they may be told out of order. */
  committed(appended: Appended): void;
  /** Something may have been committed whose events are not at hand. */
  nudge(): void;
}

const MAX_ATTEMPTS = 6;
const RESOLVE_PAUSE_MS = 100;

/**
 * Carries out commands, each in a transaction whose last act is the append to the log. How many commands share a
 * transaction is this class's own affair: its callers hand in one command and are answered for that one.
 */
export class Writer {
  constructor(
    private readonly database: Database,
    private readonly listener: CommitListener,
    /** How long to ask what became of a COMMIT whose answer was lost. */
    private readonly resolveTimeoutMs: number,
  ) {}

  /** @throws Problem where the command is refused or could not be carried out. */
  async execute(command: Command): Promise<Receipt> {
    /** A COMMIT of ours that was not answered and is not in the log, but whose packet may still be on its way. */
    let orphan: CommitOutcomeUnknown | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(command, mayBeLogged(command, orphan));
      } catch (error) {
        if (error instanceof Problem) return await this.twinOf(command, error, mayBeLogged(command, orphan));
        let failed = error;
        if (error instanceof CommitOutcomeUnknown) {
          const receipt = await this.resolve(command, error);
          if (receipt !== undefined) return receipt;
          // An error that the server itself sent leaves nothing under way.
          if (failureOf(error.cause) === 'unreachable') orphan = error;
          failed = error.cause; // it is not carried out so far, for this reason
        }
        if (attempt < MAX_ATTEMPTS && mayRetry(failed, attempt)) {
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
      await session.begin();
      if (mayBeLogged) {
        const earlier = await findReceipt(session, identity);
        if (earlier !== undefined) return earlier;
      }
      const events = await command.write(session);
      return appendAndCommit(session, events.map(identified(identity)), command.now);
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
      .catch(() => undefined); // cannot be told now: the refusal stands
    if (twin === undefined) throw problem;
    return replayOf(twin, command);
  }

  /**
   * What became of a command whose COMMIT was not answered. A plain look-up proves nothing while the orphan may still be
   * committing; under the head lock, what is not in the log is not being committed. Its packet may still be on its way to
   * the server: then the unique command id lets only one of the two attempts commit.
   * @returns undefined where it was not carried out.
   */
  private async resolve(command: Command, cause: CommitOutcomeUnknown): Promise<Receipt | undefined> {
    const deadline = performance.now() + this.resolveTimeoutMs;
    for (;;) {
      try {
        const receipt = await this.database.session(async (session) =>
          receiptOf(await findCommandUnderHeadLock(session, command.identity.commandId), command.identity),
        );
        if (receipt === undefined) return undefined;
        this.listener.nudge();
        return { ...receipt, replayed: false };
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
function mayBeLogged({ identity }: Command, orphan: CommitOutcomeUnknown | undefined): boolean {
  return identity.requestHash !== null || orphan !== undefined;
}

function outcomeUnknown(cause: CommitOutcomeUnknown): Problem {
  const detail =
    'MySQL went away during the COMMIT: retry with the same Idempotency-Key to learn the outcome.';
  return new Problem('outcome-unknown', detail, { retryAfterSeconds: 2, cause });
}

/** Without a key nobody can have asked before: then the earlier attempt was this request's own. */
function replayOf(receipt: Receipt, { identity }: Command): Receipt {
  return identity.requestHash === null ? { ...receipt, replayed: false } : receipt;
}

async function findReceipt(session: Session, identity: CommandIdentity): Promise<Receipt | undefined> {
  return receiptOf(await findCommand(session, identity.commandId), identity);
}

function receiptOf(found: FoundCommand | undefined, { requestHash }: CommandIdentity): Receipt | undefined {
  if (found === undefined) return undefined;
  if (requestHash !== null && !found.requestHash?.equals(requestHash)) {
    throw new Problem(
      'idempotency-key-reused',
      'This Idempotency-Key belongs to an earlier request with another content.',
    );
  }
  return { logged: found.logged, replayed: true };
}

/** The command's id goes to its own event, the last one; an event that adopts a row on the way gets an id of its own. */
function identified(identity: CommandIdentity) {
  return (event: TallyEvent, index: number, all: TallyEvent[]): NewEvent => ({
    event,
    ...(index === all.length - 1 ? identity : uniqueIdentity()),
  });
}

function ownEvent({ events }: Appended): LoggedEvent {
  const own = events.at(-1);
  if (own === undefined) throw new Error('an append without events');
  return own;
}

function mayRetry(error: unknown, attempt: number): boolean {
  switch (failureOf(error)) {
    case 'lock-conflict':
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
