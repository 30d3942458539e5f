import { instantAt, type Instant } from '../domain/ids';
import type { Database } from '../mysql/pool';
import { insertAccessEvents, insertRevocations } from '../mysql/tables/access-events';
import { insertApiKey, revokeApiKeys } from '../mysql/tables/api-keys';
import { upsertPrincipal, type NewPrincipal } from '../mysql/tables/principals';
import { newApiKey } from './api-key';
import { changeAccess } from './change';
import type { Permission } from './permissions';
import type { Principal } from './principal';

/**
 * Gives a program a key. Its name is its identity: a program that had keys before stays the same one, with these
 * permissions from now on.
 * @returns the token, which is shown nowhere else.
 */
export async function createKey(
  database: Database,
  name: string,
  permissions: readonly Permission[],
  expiresAt: Instant | undefined,
): Promise<string> {
  const now = instantAt(Date.now());
  const { key, token } = newApiKey(now, expiresAt);
  await changeAccess(database, [
    ...upsertPrincipal(program(name, permissions), now),
    insertApiKey(key),
    insertAccessEvents([{ what: 'key-created', keyId: key.id, occurredAt: now, count: 1 }]),
  ]);
  return token;
}

/** Gives a program another key; the ones that it has end at `endsOthersAt`. @returns the token. */
export async function rotateKey(
  database: Database,
  { id, name, permissions }: Principal,
  expiresAt: Instant | undefined,
  endsOthersAt: Instant,
): Promise<string> {
  const now = instantAt(Date.now());
  const { key, token } = newApiKey(now, expiresAt);
  await changeAccess(database, [
    revokeApiKeys(id, endsOthersAt),
    ...upsertPrincipal(program(name, permissions), now),
    insertApiKey(key),
    insertAccessEvents([{ what: 'key-rotated', keyId: key.id, occurredAt: now, count: 1 }]),
  ]);
  return token;
}

/** Ends all keys of a program, now. */
export async function revokeKeys(database: Database, { id }: Principal): Promise<void> {
  const now = instantAt(Date.now());
  await changeAccess(database, [insertRevocations(id, now), revokeApiKeys(id, now)]);
}

function program(name: string, permissions: Iterable<Permission>): NewPrincipal {
  return { kind: 'program', name, grants: [...permissions].join(','), sessionKey: null };
}
