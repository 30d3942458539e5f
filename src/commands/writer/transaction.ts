import type { EventId } from '../../domain/ids';
import { Problem } from '../../domain/problems';
import { append, findEvents, type Appended, type FoundEvent, type NewEvent } from '../../mysql/append';
import type { Dialect } from '../../mysql/dialect';
import { isBeforeCommit } from '../../mysql/failures';
import type { Database } from '../../mysql/pool';
import { all, both, mapQuery, type Query, type Session } from '../../mysql/session';
import type { Command, Draft, NonEmpty } from './command';
import { uniqueEventId } from './identity';
import type { Pending } from './pending';
import { receiptOf, type Receipt } from './receipts';

/** The packet with the COMMIT was not answered, or with an error that may have come out of the COMMIT itself. */
export class CommitInDoubt extends Error {
  override readonly name = 'CommitInDoubt';
}

/** What became of a command. */
export type Outcome = Receipt | Problem | 'locked' | { told: unknown };

export interface Transaction {
  outcomes: Map<Pending, Outcome>;
  /** What was appended to the log; undefined where no command was accepted. */
  appended: Appended | undefined;
  /** How many commands it carried. */
  accepted: number;
}

/**
 * Carries out commands in one transaction of two packets: the look-ups, then everything else with its COMMIT.
 * @throws CommitInDoubt, and whatever keeps the transaction as a whole from being carried out.
 */
export async function carryOut(
  database: Database,
  group: Pending[],
  timeoutMs: number,
): Promise<Transaction> {
  const lookUpMs = timeoutMs / 3;
  for (const pending of group) pending.stage = 'looking-up';
  const dialect = await database.dialect(lookUpMs);
  return database.session(async (session) => {
    const { facts, logged } = await lookUp(session, group, dialect);
    for (const pending of group) {
      pending.stage = 'waiting';
      pending.areReceiptsRead = true;
    }

    const outcomes = new Map<Pending, Outcome>();
    const isLate = (pending: Pending) => pending.isLate && !logged.has(pending.id);
    for (const pending of group.filter(isLate)) outcomes.set(pending, pending.lateProblem());
    const inTime = group.filter((pending) => !outcomes.has(pending));
    const { ended, accepted, events, rows } = decideGroup(inTime, facts, logged);
    for (const [pending, outcome] of ended) outcomes.set(pending, outcome);
    if (accepted.size === 0) return { outcomes, appended: undefined, accepted: 0 };

    for (const pending of accepted.keys()) pending.stage = 'sent';
    const statements = [...rows].flatMap(([kind, accepted]) => kind.write(accepted));
    const packet = both({ statements, read: () => undefined }, append(events));
    const [, appended] = await session.ask(packet, { timeoutMs, ends: true }).catch((error: unknown) => {
      if (isBeforeCommit(error)) throw error;
      throw new CommitInDoubt('the answer to a COMMIT was lost', { cause: error });
    });
    for (const [pending, place] of accepted) {
      const logged = appended.events[place];
      // Committed: an error here must not have it carried out again.
      if (logged === undefined)
        outcomes.set(pending, new Problem('internal-error', 'The command has no event.'));
      else outcomes.set(pending, { logged, replayed: false });
    }
    return { outcomes, appended, accepted: accepted.size };
  }, lookUpMs);
}

type Kind = Command['kind'];

interface LookedUp {
  facts: Map<Kind, unknown>;
  /** The receipts of the commands that may have been carried out before. */
  logged: Map<EventId, FoundEvent>;
}

async function lookUp(session: Session, group: Pending[], dialect: Dialect): Promise<LookedUp> {
  const inputs = inputsByKind(group);
  const ids = group.filter(({ mayBeLogged }) => mayBeLogged).map(({ id }) => id);
  // The receipts come last. So where a duplicate request is the reason why a command is refused, its event is found, too.
  const ask = async (queries: Query<[Kind, unknown]>[]) => session.ask(both(all(queries), findEvents(ids)));
  const [entries, logged] = await ask(
    [...inputs].map(([kind, inputs]) => mapQuery(kind.lookUp(inputs, dialect), (facts) => [kind, facts])),
  );
  const facts = new Map(entries);
  const rest = [...inputs].flatMap(([kind, inputs]) => {
    const query = kind.lookUpRest?.(inputs, facts.get(kind));
    return query === undefined ? [] : [mapQuery(query, (facts): [Kind, unknown] => [kind, facts])];
  });
  if (rest.length === 0) return { facts, logged };
  const [completed, loggedSince] = await ask(rest);
  return { facts: new Map([...facts, ...completed]), logged: loggedSince };
}

function inputsByKind(group: Pending[]): Map<Kind, NonEmpty<unknown>> {
  const inputs = new Map<Kind, NonEmpty<unknown>>();
  for (const { command } of group) {
    const same = inputs.get(command.kind);
    if (same === undefined) inputs.set(command.kind, [command.input]);
    else same.push(command.input);
  }
  return inputs;
}

interface DecidedGroup<C> {
  /** What became of those that write nothing. */
  ended: Map<C, Outcome>;
  /** The others, each with the place of its own event among the events. */
  accepted: Map<C, number>;
  events: NewEvent[];
  /** Of the accepted commands. */
  rows: Map<Kind, NonEmpty<unknown>>;
}

/** Pure: decides a group, as a fold in the order in which the commands came. */
export function decideGroup<C extends { command: Command }>(
  group: C[],
  facts: ReadonlyMap<Kind, unknown>,
  logged: ReadonlyMap<EventId, FoundEvent>,
): DecidedGroup<C> {
  const ended = new Map<C, Outcome>();
  const accepted = new Map<C, number>();
  const events: NewEvent[] = [];
  const rows = new Map<Kind, NonEmpty<unknown>>();
  for (const member of group) {
    const { kind, input, identity, now } = member.command;
    const found = logged.get(identity.eventId);
    if (found !== undefined) {
      ended.set(member, receiptOf(found, identity));
      continue;
    }
    const same = rows.get(kind);
    const decision = kind.decide(facts.get(kind), same ?? [], input, now);
    if (decision === 'locked' || decision instanceof Problem || 'told' in decision) {
      ended.set(member, decision);
      continue;
    }
    if (same === undefined) rows.set(kind, [decision.row]);
    else same.push(decision.row);
    events.push(...identified(member.command, decision.events));
    accepted.set(member, events.length - 1);
  }
  return { ended, accepted, events, rows };
}

/** The command's identity and actor go to its own event, the last one; the others correct the log on the way. */
function identified({ identity, now, actor }: Command, drafts: Draft[]): NewEvent[] {
  return drafts.map((draft, index) => {
    const isOwn = index === drafts.length - 1;
    // Field by field: a spread costs an order more than all the rest of deciding it.
    return {
      body: draft.body,
      subject: draft.subject,
      restates: draft.restates,
      eventId: draft.eventId ?? (isOwn ? identity.eventId : uniqueEventId()),
      requestHash: isOwn ? identity.requestHash : null,
      occurredAt: now,
      actor: isOwn ? actor : undefined,
    };
  });
}
