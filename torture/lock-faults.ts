import { setTimeout as delay } from 'node:timers/promises';
import { PRICES_CENTS, USERS } from './catalogue';
import type { Fault } from './fault';
import type { Random } from './random';
import type { Stage } from './stage';

/** Another session locks what commands need. */
export const LOCK_FAULTS = {
  'row-locked': {
    resource: 'row-lock',
    hinders: { commands: 2000 },
    about: 'another session holds the row of one user FOR UPDATE, for up to 2 s',
    async inject(stage, random) {
      const user = random.int(1, USERS);
      const ms = await holdRows(stage, random, [{ table: 'users', ids: [user] }]);
      return `users ${user} for ${ms} ms`;
    },
  },
  'many-rows-locked': {
    resource: 'row-lock',
    hinders: { commands: 2000 },
    about: 'another session holds the rows of several users and products FOR UPDATE, for up to 2 s',
    async inject(stage, random) {
      const some = (count: number) => random.shuffled(idsUpTo(count)).slice(0, random.int(2, 5));
      const users = some(USERS);
      const products = some(PRICES_CENTS.length - 1).map((id) => id + 1); // not the one that is in every order
      const ms = await holdRows(stage, random, [
        { table: 'products', ids: products },
        { table: 'users', ids: users },
      ]);
      return `users ${users.join(', ')}; products ${products.join(', ')} for ${ms} ms`;
    },
  },
  'head-locked': {
    resource: 'row-lock',
    hinders: { commands: 2000 },
    about: 'another session holds the head of the log FOR UPDATE, for up to 2 s',
    async inject(stage, random) {
      return `for ${await holdRows(stage, random, [{ table: 'event_head', ids: [1] }])} ms`;
    },
  },
} as const satisfies Record<string, Fault>;

/**
 * Locks rows, in the order of the list, and lets them go. A deadlock with a service may end it early: what it held until
 * then was in the way all the same.
 * @returns for how many milliseconds they were held.
 */
async function holdRows(
  stage: Stage,
  random: Random,
  rows: { table: string; ids: number[] }[],
): Promise<number> {
  const sql = await stage.connect();
  try {
    await sql.beginTransaction();
    for (const { table, ids } of rows) {
      // One after the other: with a list, MySQL may scan the table and lock all of its rows.
      for (const id of ids) {
        await sql.query('SELECT id FROM ?? WHERE id = ? FOR UPDATE', [table, id]).catch(() => undefined);
      }
    }
    const ms = random.int(300, 2000);
    await delay(ms);
    await sql.rollback().catch(() => undefined); // MySQL is gone, and the locks with it
    return ms;
  } finally {
    sql.destroy();
  }
}

function idsUpTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
