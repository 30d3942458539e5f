import { Problem } from '../domain/problems';
import { mapQuery, select, type Statement } from '../mysql/session';
import { insertNewUser, type NewUser } from '../mysql/tables/users';
import type { CommandKind } from './writer/command';

/** Registers a user. Refused with `email-taken`. */
export const CREATE_USER: CommandKind<NewUser, { isTaken: boolean }, Statement[], 'UserRegistered'> = {
  events: ['UserRegistered'],
  shares: false,

  lookUp([{ email }]) {
    const taken = select('SELECT id FROM users WHERE email = ?', [email]);
    return mapQuery(taken, (rows) => ({ isTaken: rows.length > 0 }));
  },

  decide({ isTaken }, _accepted, user, now) {
    const { name, email } = user;
    if (isTaken) return new Problem('email-taken', `Another user has the email ${email}.`);
    return {
      row: insertNewUser(user, now),
      events: [{ body: { type: 'UserRegistered', name }, subject: { inserted: 0 } }],
    };
  },

  write: ([insert]) => insert,
};
