import { setTimeout as delay } from 'node:timers/promises';
import { createLogger, openCore, redisReady, type Core } from '../app';
import type { Config } from '../config';
import { BulkConflict } from '../import/bulk';
import { ImportFaults, readImport, type ImportData } from '../import/csv';
import { demoData } from '../import/demo';
import { importData } from '../import/import';
import { migrate } from '../mysql/migrate';
import { parseTip } from '../domain/events';
import { readAppliedTip } from '../read-model/scripts';
import { showProgress } from './progress';

/** How long to wait until the reports of a running service show the import. */
const REPORTS_TIMEOUT_MS = 15_000;
const REPORTS_PAUSE_MS = 50;

/** `tally import --dir D`: returns the exit code. */
export async function importCommand(config: Config, directory: string): Promise<number> {
  return importInto(config, () => readImport(directory));
}

const DEMO_CONFLICT =
  'The sample data of an earlier day is there already, or orders of your own have its ids (1001 and above).';

/** `tally demo`: returns the exit code. */
export async function demoCommand(config: Config, seed: number): Promise<number> {
  if (!Number.isSafeInteger(seed)) {
    console.error('The seed must be a whole number.');
    return 1;
  }
  // The day is part of the data: a demo that is started again tomorrow is another one.
  return importInto(config, async () => demoData(seed, new Date().toISOString().slice(0, 10)), DEMO_CONFLICT);
}

async function importInto(
  config: Config,
  read: () => Promise<ImportData>,
  onConflict?: string,
): Promise<number> {
  const log = createLogger({ LOG_LEVEL: 'silent' });
  await migrate(config.DATABASE_URL, config.MYSQL_TIMEOUT_MS);
  const core = openCore(config, log);
  const progress = showProgress(process.stdout);
  try {
    const data = await read();
    const imported = await importData(core.writer, core.databases.commands, data, ({ done, total }) =>
      progress.update({ label: 'importing', done, total }),
    );
    progress.stop();
    const { users, products, orders, skipped, position } = imported;
    console.log(`Imported ${users} users, ${products} products and ${orders} orders.`);
    if (skipped > 0) console.log(`${skipped} rows were there already.`);
    if (position !== undefined) console.log(await describeReports(core, position, config.REDIS_TIMEOUT_MS));
    return 0;
  } catch (error) {
    progress.stop();
    if (error instanceof ImportFaults) {
      for (const fault of error.faults) console.error(fault);
      if (error.count > error.faults.length) console.error(`… and ${error.count - error.faults.length} more`);
      console.error(error.message);
      return 1;
    }
    if (error instanceof BulkConflict) {
      console.error(`Not imported: ${onConflict ?? error.message}`);
      return 1;
    }
    throw error;
  } finally {
    await core.close();
  }
}

/** Whether the reports show the import; the running service brings it there. */
async function describeReports({ redis, live }: Core, position: number, timeoutMs: number): Promise<string> {
  const later = 'The reports will show it when a service is running.';
  try {
    await redisReady(redis.projector, timeoutMs);
    for (
      const deadline = performance.now() + REPORTS_TIMEOUT_MS;
      performance.now() < deadline;
      await delay(REPORTS_PAUSE_MS)
    ) {
      const keys = await live.refresh();
      const applied = keys === undefined ? null : await readAppliedTip(redis.projector, keys);
      if ((parseTip(applied ?? '')?.position ?? -1) >= position)
        return `The reports show it (position ${position}).`;
    }
  } catch {
    // Without Redis there are no reports to look at; the import itself is done.
  }
  return later;
}
