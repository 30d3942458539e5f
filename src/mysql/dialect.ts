import { isMariadb, refuseOldMysql } from '../server-version';
import type { Session } from './session';

export type Dialect = 'mariadb' | 'mysql';

/** A shared lock on each row that is free; rows that others have locked are left out. There is no common form. */
export const SHARE_LOCK_IF_FREE: Record<Dialect, string> = {
  mariadb: 'LOCK IN SHARE MODE SKIP LOCKED',
  mysql: 'FOR SHARE SKIP LOCKED',
};

/** Asks the server which dialect it speaks. */
export async function dialectOf(session: Session): Promise<Dialect> {
  return isMariadb(await versionOf(session)) ? 'mariadb' : 'mysql';
}

/** @throws TooOld */
export async function refuseOldDatabase(session: Session): Promise<void> {
  refuseOldMysql(await versionOf(session));
}

async function versionOf(session: Session): Promise<string> {
  const [row] = await session.rows<{ version: string }>('SELECT VERSION() AS version');
  return row?.version ?? '';
}
