import { createHash, randomBytes } from 'node:crypto';
import { instantAt, type Instant, type PrincipalId } from '../domain/ids';
import type { Database } from '../mysql/pool';
import { insertPersonEvent } from '../mysql/tables/access-events';
import { endSession } from '../mysql/tables/ended-sessions';
import { insertIdentity, principalOfIdentity } from '../mysql/tables/identities';
import { removePassword, setPassword } from '../mysql/tables/passwords';
import { insertPrincipal, setGrants, setSessionKey, upsertPrincipal } from '../mysql/tables/principals';
import { changeAccess } from './change';
import type { Directory } from './directory';
import { hashPassword } from './passwords';
import type { Role } from './permissions';
import type { Person } from './principal';
import type { Identity } from './single-sign-on';

/** Adds a person, or gives the one of this name a new role and password; his sessions end. */
export async function putPerson(
  database: Database,
  { name, role, isNew }: { name: string; role: Role; isNew: boolean },
  password: string,
): Promise<void> {
  const now = instantAt(Date.now());
  const hash = await hashPassword(password);
  const person = { kind: 'person' as const, name, grants: role, sessionKey: newSessionKey() };
  const what = isNew ? 'person-added' : 'person-reset';
  await changeAccess(database, [
    ...upsertPrincipal(person, now),
    insertPersonEvent(what, now),
    setPassword(hash, now),
  ]);
}

/** A person may do nothing any more, and is logged out. What the audit says of him stays. */
export async function removePerson(database: Database, { id, name }: Person): Promise<void> {
  const nobody = { kind: 'person' as const, name, grants: '', sessionKey: newSessionKey() };
  const now = instantAt(Date.now());
  await changeAccess(database, [
    ...upsertPrincipal(nobody, now),
    insertPersonEvent('person-removed', now),
    removePassword(id),
  ]);
}

/** The person of an identity at a provider, who has this role from now on. @returns his id. */
export async function putIdentity(
  database: Database,
  directory: Directory,
  identity: Identity,
): Promise<PrincipalId> {
  const { issuer, subject, role } = identity;
  const id = createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest();
  const find = () => database.session((session) => session.ask(principalOfIdentity(id)));
  const known = (await find()) ?? (await addPersonOf(database, id, identity, find));
  await directory.look();
  const person = directory.principal(known);
  if (person?.kind === 'person' && person.role !== role) {
    // Sessions that began with another role end.
    await changeAccess(database, [setGrants(known, role ?? '', newSessionKey())]);
    await directory.look();
  }
  return known;
}

async function addPersonOf(
  database: Database,
  id: Buffer,
  { name, issuer, role }: Identity,
  find: () => Promise<PrincipalId | undefined>,
): Promise<PrincipalId> {
  const person = {
    kind: 'person' as const,
    name: shownName(name, issuer, id),
    grants: role ?? '',
    sessionKey: newSessionKey(),
  };
  const now = instantAt(Date.now());
  const insertion = [
    ...insertPrincipal(person, now),
    insertPersonEvent('person-added', now),
    insertIdentity(id),
  ];
  const failure = await changeAccess(database, insertion).catch((error: unknown) => error);
  const added = await find();
  // Where the insertion failed because another login of the same person was faster, he is there.
  if (added === undefined) throw failure;
  return added;
}

/** Not a name that a person with a password can have, nor one of another identity. */
function shownName(name: string, issuer: string, identity: Buffer): string {
  const { host } = new URL(issuer);
  return `${name.slice(0, 24)} (${host.slice(0, 24)}, ${identity.toString('hex', 0, 4)})`;
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
