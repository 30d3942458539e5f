/**
 * How the statements of a transaction use the ids that MySQL hands out in the same packet. Directly after an INSERT,
 * `@inserted` is set to the first of its ids: the head's `LAST_INSERT_ID(expr)` overwrites LAST_INSERT_ID(), and both survive
 * in a pooled connection. It is set to NULL where an id is not what it must be; every column that takes it is NOT NULL, so
 * the whole transaction fails. A transaction has at most one such INSERT.
 */

/** The id of a row by its place in the INSERT: InnoDB hands out the ids of one INSERT in this distance. */
export function insertedId(place: number): string {
  return place === 0 ? '@inserted' : `@inserted + ${place} * @@auto_increment_increment`;
}

/** The most that JSON states exactly. Set the table's AUTO_INCREMENT back where MySQL hands out more. */
export const HIGHEST_ID = String(Number.MAX_SAFE_INTEGER);

/** After an INSERT of one row. */
export const SET_INSERTED = `SET @inserted = IF(LAST_INSERT_ID() <= ${HIGHEST_ID}, LAST_INSERT_ID(), NULL)`;
