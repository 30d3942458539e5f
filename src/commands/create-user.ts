import { Problem } from '../domain/problems';
import { safeId } from '../mysql/pool';
import { failureOf } from '../mysql/failures';
import { toDatetime } from '../mysql/time';
import type { CommandIdentity } from './writer/identity';
import type { Receipt } from './writer/receipts';
import type { Writer } from './writer/writer';

/**
 * Registers a user.
 * @throws Problem `email-taken`, and those of the writer.
 */
export async function createUser(
  writer: Writer,
  input: { name: string; email: string },
  identity: CommandIdentity,
  now: string,
): Promise<Receipt> {
  return writer.execute({
    identity,
    now,
    async write(session) {
      try {
        const { insertId } = await session.write(
          'INSERT INTO users (name, email, created_at) VALUES (?, ?, ?)',
          [input.name, input.email, toDatetime(now)],
        );
        return [{ type: 'UserRegistered', userId: safeId(insertId), name: input.name }];
      } catch (error) {
        if (failureOf(error) !== 'duplicate') throw error;
        throw new Problem('email-taken', `Another user has the email ${input.email}.`, { cause: error });
      }
    },
  });
}
