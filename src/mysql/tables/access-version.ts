import { mapQuery, select, type Query, type Statement } from '../session';

/** Changes with every change of who may do what. */
export function accessVersion(): Query<number> {
  return mapQuery(select<{ version: number }>('SELECT version FROM access_version WHERE id = 1'), ([row]) => {
    if (row === undefined) throw new Error('the row of access_version is gone: somebody has deleted it');
    return row.version;
  });
}

/** Goes with every statement that changes who may do what, before its COMMIT. */
export const COUNT_ACCESS_VERSION: Statement = {
  sql: 'UPDATE access_version SET version = version + 1 WHERE id = 1',
};
