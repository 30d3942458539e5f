import { Problem } from '../../domain/problems';
import type { TallyEvent } from '../../domain/events';
import type { Session } from '../../mysql/pool';
import type { NewEvent } from '../../mysql/log';
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
  write(session: Session): Promise<CommandEvents>;
}

/** What a command leaves behind, its own event last. */
export type CommandEvents = [...TallyEvent[], TallyEvent];

/** Commands of one kind, which are checked and written many at once. */
export interface CommandKind<Input> {
  /**
   * As `Command.write`, for many: one decision for each, in their order. A command that is refused must not keep the
   * others from being carried out.
   */
  write(session: Session, commands: { input: Input; now: string }[]): Promise<(CommandEvents | Problem)[]>;
}

/** A command that shares its transaction with what arrives at the same time. */
export interface SharedCommand<Input> {
  identity: CommandIdentity;
  now: string;
  kind: CommandKind<Input>;
  input: Input;
}

/** What a command is for has been done already; the transaction is rolled back. */
export class NothingToDo extends Error {
  override readonly name = 'NothingToDo';
}

/** The same command in a transaction of its own. */
export function alone<Input>(command: SharedCommand<Input> | undefined): Command {
  if (command === undefined) throw new Error('more decisions than commands');
  const { identity, now, kind, input } = command;
  return {
    identity,
    now,
    async write(session) {
      const [decision] = await kind.write(session, [{ input, now }]);
      if (decision === undefined) throw new Error('a command without a decision');
      if (decision instanceof Problem) throw decision;
      return decision;
    },
  };
}

/** The command's id goes to its own event, the last one; an event that adopts a row on the way gets an id of its own. */
export function identified(
  { identity, now }: Pick<Command, 'identity' | 'now'>,
  events: CommandEvents,
): NewEvent[] {
  return events.map((event, index) => ({
    event,
    occurredAt: now,
    ...(index === events.length - 1 ? identity : uniqueIdentity()),
  }));
}
