import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault';
import { LOCK_FAULTS } from './lock-faults';
import { MYSQL_FAULTS } from './mysql-faults';
import { links, PACKET_FAULTS } from './network-faults';
import { writeAsAnotherProgram } from './other-program';
import { REDIS_FAULTS } from './redis-faults';
import { RESTORE_FAULTS } from './restore-faults';
import { rebuildByHand, repairByHand } from './resync-by-hand';
import { runTally } from './service';
import { SERVICE_FAULTS } from './service-faults';

/** A resync that takes longer is ended: the fault is over then. */
const RESYNC_LIMIT_MS = 30_000;

export const FAULTS = {
  ...SERVICE_FAULTS,
  ...REDIS_FAULTS,
  ...MYSQL_FAULTS,
  ...RESTORE_FAULTS,
  'other-program': {
    resource: 'rows',
    about: 'another program inserts, changes and deletes orders, users and products, in MySQL itself',
    inject: writeAsAnotherProgram,
  },
  ...LOCK_FAULTS,

  ...links('mysql'),
  ...links('redis'),

  ...PACKET_FAULTS,

  'rebuild-twice': {
    resource: 'command-line',
    about: '`tally rebuild`, by two at once',
    inject: async (stage) => twice(() => rebuildByHand(stage)),
  },
  'repair-twice': {
    resource: 'command-line',
    about: '`tally repair`, by two at once',
    inject: async (stage) => twice(() => repairByHand(stage)),
  },
  'resync-killed': {
    resource: 'command-line',
    about: '`tally rebuild` or `tally repair`, killed on the way',
    async inject({ build, directEnv }, random) {
      const command = random.pick(['rebuild', 'repair']);
      const run = runTally(build, directEnv, [command], RESYNC_LIMIT_MS);
      await delay(random.int(250, 900)); // it takes some 200 ms to begin
      run.kill();
      const { code } = await run.done;
      return code === null ? command : undefined;
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

export function faultOf(name: FaultName): Fault {
  return FAULTS[name];
}

async function twice(run: () => Promise<{ code: number | null }>): Promise<string> {
  const outcomes = await Promise.all([run(), run()]);
  return outcomes.map(({ code }) => `exit ${code}`).join(', ');
}
