import { Problem } from '../domain/problems';
import { mapQuery, select, type Parameter } from '../mysql/session';
import { SET_INSERTED } from '../mysql/tables/inserted';
import { toDatetime } from '../mysql/time';
import type { CommandContext } from './context';
import type { CommandKind, Request } from './writer/command';
import type { Receipt } from './writer/receipts';

export interface CreateUser {
  name: string;
  email: string;
}

/**
 * Registers a user.
 * @throws Problem `email-taken`, and those of the writer.
 */
export async function createUser(
  { writer }: CommandContext,
  user: CreateUser,
  request: Request,
): Promise<Receipt<'UserRegistered'>> {
  return writer.execute(CREATE_USER, user, request);
}

interface Facts {
  isTaken: boolean;
}

export const CREATE_USER: CommandKind<CreateUser, Facts, Parameter[], 'UserRegistered'> = {
  events: ['UserRegistered'],
  shares: false,

  lookUp(inputs) {
    const taken = select('SELECT id FROM users WHERE email IN (?)', [inputs.map(({ email }) => email)]);
    return mapQuery(taken, (rows) => ({ isTaken: rows.length > 0 }));
  },

  decide({ isTaken }, _accepted, { name, email }, now) {
    if (isTaken) return new Problem('email-taken', `Another user has the email ${email}.`);
    return {
      row: [name, email, toDatetime(now)],
      events: [{ body: { type: 'UserRegistered', name }, subject: { inserted: 0 } }],
    };
  },

  write: (rows) => [
    { sql: 'INSERT INTO users (name, email, created_at) VALUES ?', parameters: [rows] },
    { sql: SET_INSERTED },
  ],
};
