import { unreachableProblem, type Database } from '../mysql/pool';
import type { Session } from '../mysql/session';

export interface Page {
  limit: number;
  /** Only ids above this one. */
  above: number;
}

/** Where the next page begins. Rows were read one beyond the limit, to see whether there is one. */
export function nextCursorOf(rows: { id: number }[], limit: number): string | null {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return last === undefined ? null : String(last.id);
}

/** Reads from MySQL. @throws Problem `overloaded`, `mysql-unreachable` */
export async function readCatalogue<T>(
  database: Database,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  try {
    return await database.session(work);
  } catch (error) {
    throw unreachableProblem(error) ?? error;
  }
}
