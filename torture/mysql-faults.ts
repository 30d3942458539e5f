import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { Fault } from './fault';
import { SERVICE_USER } from './servers';
import { withAdmin } from './stage';

/** The least that MariaDB takes for `max_connections`. */
const LEAST_CONNECTIONS = 10;
/** Too small for a command, for a group of some, or for a large group. */
const SMALL_PACKET_BYTES = [1024, 4 * 1024, 16 * 1024];
/** The least that MySQL takes for `net_buffer_length`. A packet may fill this buffer, whatever is allowed. */
const LEAST_BUFFER_BYTES = 1024;

/** What is done to MySQL as a whole. */
export const MYSQL_FAULTS = {
  'mysql-kill': {
    resource: 'mysql',
    hinders: { commands: 4000 },
    about: 'kill -9 of MySQL, started again',
    async inject({ servers }, random) {
      await servers.mysql.kill();
      await delay(random.int(0, 300));
      await servers.mysql.start();
      return '';
    },
  },
  'mysql-freeze': {
    resource: 'mysql',
    hinders: { commands: 3000 },
    about: 'SIGSTOP of MySQL, SIGCONT after up to 2.5 s',
    async inject({ servers }, random) {
      servers.mysql.signal('SIGSTOP');
      await delay(random.int(200, 2500));
      servers.mysql.signal('SIGCONT');
      return '';
    },
  },
  'mysql-disk-full': {
    resource: 'mysql',
    hinders: { commands: 4000 },
    about: 'the disk of MySQL is full for up to 2 s; kill -9 of MySQL, started again when there is room',
    async inject({ servers: { mysql, mysqlDisk } }, random) {
      if (mysqlDisk === undefined) return undefined;
      await mysqlDisk.fill();
      await delay(random.int(300, 2000));
      await mysqlDisk.clear();
      // MariaDB itself looks for room only once a minute.
      await mysql.kill();
      await mysql.start();
      return '';
    },
  },
  'tables-locked': {
    resource: 'mysql',
    hinders: { commands: 3000 },
    about: 'FLUSH TABLES WITH READ LOCK by another session, as a backup does, for up to 1.5 s',
    inject: (stage, random) =>
      withAdmin(stage, async (sql) => {
        const ms = random.int(300, 1500);
        await sql.query('FLUSH TABLES WITH READ LOCK');
        await delay(ms);
        await sql.query('UNLOCK TABLES');
        return `for ${ms} ms`;
      }),
  },
  'mysql-read-only': {
    resource: 'mysql',
    hinders: { commands: 3000 },
    about: 'read_only is ON, as after a failover, for up to 2 s',
    inject: (stage, random) =>
      withAdmin(stage, async (sql) => {
        const ms = random.int(300, 2000);
        await withGlobal(sql, 'read_only', 1, () => delay(ms));
        return `for ${ms} ms`;
      }),
  },
  'mysql-sessions-killed': {
    resource: 'mysql',
    hinders: { commands: 3000 },
    about: 'KILL QUERY of what runs and KILL of all sessions of the services, again and again for up to 1 s',
    inject: (stage, random) =>
      withAdmin(stage, async (sql) => {
        const endsAt = performance.now() + random.int(0, 1000);
        let killed = 0;
        do {
          killed += await killSessions(sql, random.chance(0.5) ? 'QUERY' : 'CONNECTION');
          await delay(random.int(1, 100));
        } while (performance.now() < endsAt);
        return `${killed} kills`;
      }),
  },
  'mysql-max-connections': {
    resource: 'mysql',
    hinders: { commands: 4000 },
    about: 'all sessions of the services are killed, and max_connections leaves no room, for up to 2 s',
    inject: (stage, random) =>
      withAdmin(stage, async (sql) => {
        const idle = await Promise.all(Array.from({ length: LEAST_CONNECTIONS }, () => stage.connect()));
        for (const connection of idle) connection.on('error', () => undefined); // it does nothing that could fail
        try {
          const ms = random.int(300, 2000);
          await withGlobal(sql, 'max_connections', LEAST_CONNECTIONS, async () => {
            await killSessions(sql, 'CONNECTION');
            await delay(ms);
          });
          return `for ${ms} ms`;
        } finally {
          for (const connection of idle) connection.destroy();
        }
      }),
  },
  'mysql-small-packets': {
    resource: 'mysql',
    hinders: { commands: 4000 },
    about: 'max_allowed_packet of new sessions is 1, 4 or 16 KiB, for up to 2 s',
    inject: (stage, random) =>
      withAdmin(stage, async (sql) => {
        const ms = random.int(300, 2000);
        const bytes = random.pick(SMALL_PACKET_BYTES);
        await withGlobal(sql, 'net_buffer_length', LEAST_BUFFER_BYTES, () =>
          withGlobal(sql, 'max_allowed_packet', bytes, async () => {
            await killSessions(sql, 'CONNECTION');
            await delay(ms);
          }),
        );
        await killSessions(sql, 'CONNECTION');
        return `${bytes} bytes for ${ms} ms`;
      }),
  },
} as const satisfies Record<string, Fault>;

/** Sets a global variable for a while. */
async function withGlobal(
  sql: Connection,
  name: string,
  value: number,
  work: () => Promise<void>,
): Promise<void> {
  const [[before]] = await sql.query<RowDataPacket[]>(`SELECT @@GLOBAL.${name} AS value`);
  await sql.query(`SET GLOBAL ${name} = ${value}`);
  try {
    await work();
  } finally {
    await sql.query(`SET GLOBAL ${name} = ${before?.value}`);
  }
}

/** Kills what the sessions of the services run, or the sessions. @returns how many. */
async function killSessions(sql: Connection, what: 'QUERY' | 'CONNECTION'): Promise<number> {
  const [sessions] = await sql.query<RowDataPacket[]>(
    `SELECT id AS id FROM information_schema.processlist
     WHERE user = ? ${what === 'QUERY' ? "AND command <> 'Sleep'" : ''}`,
    [SERVICE_USER],
  );
  for (const { id } of sessions) {
    await sql.query(`KILL ${what} ${id}`).catch(() => undefined); // it has ended by itself
  }
  return sessions.length;
}
