import { setTimeout as delay } from 'node:timers/promises';
import { checkCommands, checkReads } from './check-reads';
import { Clients } from './clients';
import { heal } from './healing';
import { truthOf } from './judge';
import { Random } from './random';
import type { RunOptions } from './run';
import type { MortalServer, Servers } from './servers';
import { setStage } from './stage';

/** It loses orders, which no run may. So it has runs of its own, of which less is promised. */
export const MYSQL_RESTORED = 'mysql-restored';

const LOST_MS = 1500;
/** Long enough that services ask only seldom whether MySQL is back: then commands come before they look at the log. */
const DOWN_MS = 2500;
const AFTERWARDS_MS = 3000;

/**
 * MySQL is restored under running services. What is promised then: commands are in the restored history, and a read that
 * asks for a whole position of that history is answered from it, never from the orders that were lost.
 * @returns what was wrong.
 */
export async function runRestored(
  servers: Servers,
  build: string,
  { seed, clients: count }: Pick<RunOptions, 'seed' | 'clients'>,
): Promise<string[]> {
  // So that clients soon know a position of the restored history.
  const stage = await setStage(servers, build, { PROJECTION_WAIT_MS: '100' });
  const { history } = stage;
  try {
    const clients = new Clients(stage.services, history);
    await clients.fillCatalogue();
    const random = new Random(seed);
    await restoreBackup(servers.mysql, clients, () => clients.start(count, random.fork()));
    const restoredAt = history.now();
    clients.start(count, random.fork());
    await delay(AFTERWARDS_MS);
    await clients.stop();
    await heal(stage, clients, random);
    const truth = await truthOf(stage);
    const since = history.operations.filter(({ invokedAt }) => invokedAt > restoredAt);
    const operations = since.filter(
      ({ method, minPosition = '' }) => method !== 'GET' || minPosition.includes(':'),
    );
    const told = { operations, damagedIn: () => [] };
    return [...history.violations, ...checkCommands(truth, told), ...checkReads(truth, told).faults];
  } finally {
    await stage.close();
  }
}

/** MySQL gets the files that it had before the last orders: a restored backup, or a failover to a copy without them. */
export async function restoreBackup(
  mysql: MortalServer,
  clients: Clients,
  thenOrders: () => void,
): Promise<void> {
  await mysql.kill();
  const backup = await mysql.snapshot();
  await mysql.start();
  thenOrders();
  await delay(LOST_MS);
  await clients.stop();
  await mysql.kill();
  await mysql.replaceFiles(backup);
  await delay(DOWN_MS);
  await mysql.start();
  clients.forgetPositions();
}
