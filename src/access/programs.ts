import { instantAt, type Instant } from '../domain/ids';
import type { Database } from '../mysql/pool';
import type { Statement } from '../mysql/session';
import { COUNT_ACCESS_VERSION } from '../mysql/tables/access-version';
import { insertApiKey, revokeApiKeys } from '../mysql/tables/api-keys';
import { upsertPrincipal } from '../mysql/tables/principals';
import { newApiKey } from './api-key';
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
  await commit(database, [upsertPrincipal('program', name, permissions.join(','), now), insertApiKey(key)]);
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
  await commit(database, [
    revokeApiKeys(id, endsOthersAt),
    upsertPrincipal('program', name, [...permissions].join(','), now),
    insertApiKey(key),
  ]);
  return token;
}

/** Ends all keys of a program, now. */
export async function revokeKeys(database: Database, { id }: Principal): Promise<void> {
  await commit(database, [revokeApiKeys(id, instantAt(Date.now()))]);
}

async function commit(database: Database, statements: Statement[]): Promise<void> {
  await database.session((session) =>
    session.send([...statements, COUNT_ACCESS_VERSION, { sql: 'COMMIT' }], { ends: true }),
  );
}
