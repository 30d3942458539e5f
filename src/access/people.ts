import { randomBytes } from 'node:crypto';
import { instantAt, type Instant } from '../domain/ids';
import type { Database } from '../mysql/pool';
import { endSession } from '../mysql/tables/ended-sessions';
import { removePassword, setPassword } from '../mysql/tables/passwords';
import { setSessionKey, upsertPrincipal } from '../mysql/tables/principals';
import { changeAccess } from './change';
import { hashPassword } from './passwords';
import type { Role } from './permissions';
import type { Person } from './principal';

/** Adds a person, or gives the one of this name a new role and password; his sessions end. */
export async function putPerson(
  database: Database,
  name: string,
  role: Role,
  password: string,
): Promise<void> {
  const now = instantAt(Date.now());
  const hash = await hashPassword(password);
  const person = { kind: 'person' as const, name, grants: role, sessionKey: newSessionKey() };
  await changeAccess(database, [upsertPrincipal(person, now), setPassword(hash, now)]);
}

/** A person may do nothing any more, and is logged out. What the audit says of him stays. */
export async function removePerson(database: Database, { id, name }: Person): Promise<void> {
  const nobody = { kind: 'person' as const, name, grants: '', sessionKey: newSessionKey() };
  await changeAccess(database, [upsertPrincipal(nobody, instantAt(Date.now())), removePassword(id)]);
}

/** Ends all sessions of a person, on every instance within a second. */
export async function endAllSessions(database: Database, { id }: Person): Promise<void> {
  await changeAccess(database, [setSessionKey(id, newSessionKey())]);
}

/** Ends one session for good, whatever its store may say later. */
export async function endOneSession(database: Database, sessionId: string, until: Instant): Promise<void> {
  await changeAccess(database, endSession(sessionId, until, instantAt(Date.now())));
}

function newSessionKey(): Buffer {
  return randomBytes(8);
}
