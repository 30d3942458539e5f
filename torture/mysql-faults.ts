import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault';

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
} as const satisfies Record<string, Fault>;
