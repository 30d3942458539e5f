import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { mayDiverge } from './damage';
import type { Fault } from './fault';
import { forgetOwnRows } from './other-program';
import { isLogged } from './restored';
import { withAdmin } from './stage';
import { readTruth, type LogEvent } from './truth';

/** Beyond the deadline of every command that was under way: none may be carried out by the restored MySQL. */
const DOWN_MS = 2500;

/** It loses orders. What is promised then: see `restored.ts`. */
export const RESTORE_FAULTS = {
  'mysql-restored': {
    resource: 'mysql',
    hinders: { commands: 4000, reads: 8000, positions: 8000 },
    about:
      'MySQL gets back the files that it had before the last orders: a restored backup, a failover that lost commits',
    async inject(stage, random) {
      if (!mayDiverge(stage)) return undefined;
      const { clients, history, servers } = stage;
      const { mysql } = servers;
      await mysql.kill();
      const backup = await mysql.snapshot();
      await mysql.start();
      await delay(random.int(500, 1500));
      return clients.withoutCommands(async () => {
        const lost = await withAdmin(stage, readLastEvents);
        await mysql.kill();
        history.lostLogs.push({ events: lost, endedAt: history.now() });
        clients.forgetPositions();
        forgetOwnRows(stage);
        await mysql.replaceFiles(backup);
        await delay(DOWN_MS);
        await mysql.start();
        const { events } = await withAdmin(stage, (sql) => readTruth(sql));
        clients.forgetOrdersExcept((operation) => isLogged(operation, events));
        return `${lost.filter(({ eventId, position }) => events[position - 1]?.eventId !== eventId).length} events lost`;
      });
    },
  },
} as const satisfies Record<string, Fault>;

/** The whole log, to which the services add nothing from here on, since MySQL takes no writes from them. */
async function readLastEvents(sql: Connection): Promise<LogEvent[]> {
  await sql.query('SET GLOBAL read_only = 1');
  try {
    return (await readTruth(sql)).events;
  } catch (error) {
    await sql.query('SET GLOBAL read_only = 0');
    throw error;
  }
}
