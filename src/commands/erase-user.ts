import { ERASED_NAME, type LoggedEvent } from '../domain/events';
import type { UserId } from '../domain/ids';
import { Problem } from '../domain/problems';
import { statedBy, type Stated } from '../domain/reconcile';
import { eraseLoggedUser, latestEventsOf } from '../mysql/log';
import { both, mapQuery, type Statement } from '../mysql/session';
import { eraseUser, lockUser } from '../mysql/tables/users';
import type { CommandKind, Draft } from './writer/command';
import { correctionId } from './writer/identity';

export interface ErasureFacts {
  /** What the row says; undefined where there is none. */
  stated: Stated | undefined;
  /** The newest event about the user. */
  latest: LoggedEvent | undefined;
}

/**
 * Takes the name and the email of a user out of his row and out of the log; his orders stay. Of a user who was removed, the
 * log still holds the name. May be asked for again: what was erased before stays erased. Refused with `user-not-found`.
 */
export const ERASE_USER: CommandKind<UserId, ErasureFacts, Statement[], 'UserErased' | 'UserRemoved'> = {
  events: ['UserErased', 'UserRemoved'],
  shares: false,

  // The log is read after the row is locked, so that nobody appends an event about the user in between.
  lookUp: ([id]) =>
    mapQuery(both(lockUser(id), latestEventsOf('user', [id])), ([stated, latest]) => ({
      stated,
      latest: latest.get(id),
    })),

  decide({ stated, latest }, _accepted, id, now) {
    if (stated === undefined && latest === undefined) {
      return new Problem('user-not-found', `There is no user ${id}.`);
    }
    const own: Draft = { body: { type: stated === undefined ? 'UserRemoved' : 'UserErased' }, subject: id };
    // A user of whom the log does not say that he exists is added on the way, as where one is deleted.
    const added: Draft = {
      body: { type: 'UserRegistered', name: ERASED_NAME },
      subject: id,
      eventId: correctionId('user', id, latest?.eventId),
    };
    const isLogged = statedBy(latest?.event) !== undefined;
    return { row: [eraseUser(id), eraseLoggedUser(id, now)], events: isLogged ? [own] : [added, own] };
  },

  write: ([statements]) => statements,
};
