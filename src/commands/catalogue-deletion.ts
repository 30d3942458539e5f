import type { EventBody, LoggedEvent } from '../domain/events';
import { Problem } from '../domain/problems';
import { statedBy, type Stated } from '../domain/reconcile';
import { latestEventsOf } from '../mysql/log';
import { both, mapQuery, select, type Query } from '../mysql/session';
import type { CommandKind, Draft } from './writer/command';
import { correctionId } from './writer/identity';

/** What tells the deletion of a product from that of a user. */
interface Entry<T> {
  kind: 'product' | 'user';
  removed: EventBody & { type: T };
  lock: (id: number) => Query<Stated | undefined>;
  /** Finds an order that refers to it. */
  references: string;
  deletion: string;
}

export interface DeletionFacts {
  /** What the row says; undefined where there is none. */
  stated: Stated | undefined;
  isInUse: boolean;
  /** The newest event about it. */
  latest: LoggedEvent | undefined;
}

/** The deletion of an entry of the catalogue that no order refers to. */
export function catalogueDeletion<Id extends number, T extends 'ProductRemoved' | 'UserRemoved'>({
  kind,
  removed,
  lock,
  references,
  deletion,
}: Entry<T>): CommandKind<Id, DeletionFacts, Id, T> {
  return {
    events: [removed.type],
    shares: false,

    // Waits for the row: were it passed over while locked, a busy one could never be deleted. The log is read after the row
    // is locked, so that nobody appends an event about it in between.
    lookUp: ([id]) =>
      mapQuery(
        both(both(lock(id), select(references, [id])), latestEventsOf(kind, [id])),
        ([[stated, found], latest]) => ({ stated, isInUse: found.length > 0, latest: latest.get(id) }),
      ),

    decide({ stated, isInUse, latest }, _accepted, id) {
      if (stated === undefined) {
        return new Problem(`${kind}-not-found`, `There is no ${kind} ${id}.`, {
          members: { deleted: false },
        });
      }
      if (isInUse) return new Problem(`${kind}-in-use`, `Orders still refer to ${kind} ${id}.`);
      const own: Draft = { body: removed, subject: id };
      if (statedBy(latest?.event) !== undefined) return { row: id, events: [own] };
      // The log has never heard of it: another program wrote it. It is added there on the way, so that the head counts right.
      const added: Draft = { body: stated, subject: id, eventId: correctionId(kind, id, latest?.eventId) };
      return { row: id, events: [added, own] };
    },

    write: ([id]) => [{ sql: deletion, parameters: [id] }],
  };
}
