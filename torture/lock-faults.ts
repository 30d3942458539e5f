import { setTimeout as delay } from 'node:timers/promises';
import { USERS } from './catalogue';
import type { Fault } from './fault';

/** Another session locks what commands need. */
export const LOCK_FAULTS = {
  'row-locked': {
    resource: 'row-lock',
    hinders: { commands: 2000 },
    about: 'another session holds the row of one user FOR UPDATE, for up to 2 s',
    async inject(stage, random) {
      const sql = await stage.connect();
      try {
        const user = random.int(1, USERS);
        await sql.beginTransaction();
        await sql.query('SELECT id FROM users WHERE id = ? FOR UPDATE', [user]);
        const ms = random.int(300, 2000);
        await delay(ms);
        await sql.rollback();
        return `user ${user} for ${ms} ms`;
      } finally {
        sql.destroy();
      }
    },
  },
} as const satisfies Record<string, Fault>;
