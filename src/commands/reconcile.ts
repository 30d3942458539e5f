import { EVENT_TYPES, subjectId, type EventType, type LoggedEvent, type SubjectKind } from '../domain/events';
import { orderId, type Instant } from '../domain/ids';
import { Problem } from '../domain/problems';
import { reconcile, statedBy, type Stated } from '../domain/reconcile';
import { latestEventsOf } from '../mysql/log';
import { both, mapQuery, type Query, type Statement } from '../mysql/session';
import { lockOrders, markLogged, statedByOrder } from '../mysql/tables/orders';
import { lockProduct } from '../mysql/tables/products';
import { lockUser } from '../mysql/tables/users';
import type { CommandKind, Decision, Draft } from './writer/command';
import { correctionId, uniqueIdentity } from './writer/identity';
import type { Writer } from './writer/writer';

export interface ReconcileSubject {
  kind: SubjectKind;
  id: number;
}

type Told = 'nothing-to-do' | { irreconcilable: string };

/** Tells the log what another program did to an order, product or user in MySQL, so that the reports follow. */
export async function reconcileSubject(
  writer: Writer,
  subject: ReconcileSubject,
  now: Instant,
): Promise<'reconciled' | Told> {
  try {
    const request = { identity: uniqueIdentity(), now, actor: undefined };
    const outcome = await writer.execute(RECONCILE, subject, request);
    return outcome !== 'nothing-to-do' && 'logged' in outcome ? 'reconciled' : outcome;
  } catch (error) {
    if (error instanceof Problem && error.slug === 'sum-bound-reached')
      return { irreconcilable: error.detail };
    throw error;
  }
}

interface Facts {
  /** What the row says; undefined where there is none. */
  stated: Stated | 'locked' | undefined;
  latest: LoggedEvent | undefined;
}

export const RECONCILE: CommandKind<ReconcileSubject, Facts, Statement[], EventType, Told> = {
  events: EVENT_TYPES,
  shares: false,

  // The log is read after the row is locked, so that no command changes it in between.
  lookUp: ([{ kind, id }]) =>
    mapQuery(both(STATED_BY_ROW[kind](id), latestEventsOf(kind, [id])), ([stated, latest]) => ({
      stated,
      latest: latest.get(id),
    })),

  decide({ stated, latest }, _accepted, { kind, id }): Decision<Statement[], Told> {
    if (stated === 'locked') return 'locked';
    const outcome = reconcile(stated, latest?.event);
    if ('irreconcilable' in outcome) return { told: outcome };
    const restates = statedBy(latest?.event) !== undefined;
    const events = outcome.events.map((event): Draft => ({
      body: event,
      subject: subjectId(event),
      restates,
    }));
    const [first, ...rest] = events;
    if (first === undefined) return { told: 'nothing-to-do' };
    return {
      row: stated?.type === 'OrderCreated' ? [markLogged(stated.order)] : [],
      events: [{ ...first, eventId: correctionId(kind, id, latest?.eventId) }, ...rest],
    };
  },

  write: ([update]) => update,
};

/** Locks the row, and reads what it says. */
const STATED_BY_ROW: Record<SubjectKind, (id: number) => Query<Facts['stated']>> = {
  order: (id) =>
    mapQuery(lockOrders([orderId(id)]), ({ existing, free }) => {
      const stored = free.get(orderId(id));
      if (stored !== undefined) return statedByOrder(stored);
      return existing.has(orderId(id)) ? 'locked' : undefined;
    }),
  product: lockProduct,
  user: lockUser,
};
