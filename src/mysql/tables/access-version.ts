import { randomInt } from 'node:crypto';
import { mapQuery, select, type Query, type Statement } from '../session';

/** Changes with every change of who may do what. */
export function accessVersion(): Query<number> {
  return mapQuery(select<{ version: number }>('SELECT version FROM access_version WHERE id = 1'), ([row]) => {
    if (row === undefined) throw new Error('the row of access_version is gone: somebody has deleted it');
    return row.version;
  });
}

/** So that 2^53 is not reached in billions of changes. */
const LONGEST_STEP = 1_000_000;

/**
 * Goes with every statement that changes who may do what, before its COMMIT. A random step, because MySQL may be restored:
 * the same number could come again after other changes, and instances that know it would not read them.
 */
export function countAccessVersion(): Statement {
  const step = randomInt(1, LONGEST_STEP);
  return { sql: 'UPDATE access_version SET version = version + ? WHERE id = 1', parameters: [step] };
}
