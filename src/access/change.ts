import type { Database } from '../mysql/pool';
import type { Statement } from '../mysql/session';
import { countAccessVersion } from '../mysql/tables/access-version';

/** Changes who may do what, in one transaction of which every instance learns within a second. */
export async function changeAccess(database: Database, statements: Statement[]): Promise<void> {
  await database.session((session) =>
    session.send([...statements, countAccessVersion(), { sql: 'COMMIT' }], { ends: true }),
  );
}
