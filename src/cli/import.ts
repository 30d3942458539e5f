import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config';
import { counted } from '../domain/plain-english';
import { BulkConflict } from '../import/bulk';
import { readImport, type ImportData } from '../import/csv';
import { demoData } from '../import/demo';
import { importData } from '../import/import';
import { readWork } from '../projections/resync/resync-lease';
import { readCheckpoint } from '../read-model/checkpoint';
import { redisFailure, redisReady } from '../redis/client';
import type { Stores } from '../stores';
import { bringSchemaUp, NotNow, withStores } from './command';
import type { Progress } from './progress';

/** Reports that come no closer for so long are not brought forward by anybody. */
const NO_SERVICE_AFTER_MS = 5_000;
const REPORTS_PAUSE_MS = 100;

/** `tally import --dir D`: returns the exit code. */
export async function importCommand(config: Config, { dir }: { dir: string }): Promise<number> {
  return importInto(config, (progress) =>
    readImport(dir, {
      maxOrderTotal: config.MAX_ORDER_TOTAL,
      onProgress: ({ done, total }) => progress.update({ label: 'reading the files (bytes)', done, total }),
    }),
  );
}

const DEMO_CONFLICT =
  'The sample data of an earlier day is there already, or orders of your own have its ids (1001 and above).';

/** `tally demo`: returns the exit code. */
export async function demoCommand(config: Config, { seed }: { seed: string }): Promise<number> {
  if (!Number.isSafeInteger(Number(seed))) throw new NotNow('The seed must be a whole number.');
  // The day is part of the data: a demo that is started again tomorrow is another one.
  const today = new Date().toISOString().slice(0, 10);
  return importInto(config, async () => demoData(Number(seed), today), DEMO_CONFLICT);
}

async function importInto(
  config: Config,
  read: (progress: Progress) => Promise<ImportData>,
  onConflict?: string,
): Promise<number> {
  await bringSchemaUp(config);
  return withStores(config, async (stores, progress) => {
    const { users, products, orders, skipped, position } = await importData(
      stores.writer,
      stores.databases.commands,
      await read(progress),
      ({ step, done, total }) => progress.update({ label: step, done, total }),
    ).catch((error: unknown) => {
      if (!(error instanceof BulkConflict)) throw error;
      throw new NotNow(`Not imported: ${onConflict ?? error.message}`);
    });
    progress.stop();
    const [of, and] = [counted(users, 'user'), counted(products, 'product')];
    console.log(`Imported ${of}, ${and} and ${counted(orders, 'order')}.`);
    if (skipped > 0) console.log(`${counted(skipped, 'row was', 'rows were')} there already.`);
    if (position > 0) console.log(await watchReports(stores, position, config, progress));
    return 0;
  });
}

/** Shows how far the reports are, as long as a running service brings them forward. @returns what to tell in the end. */
async function watchReports(
  { redis, live, followLog }: Stores,
  position: number,
  config: Config,
  progress: Progress,
): Promise<string> {
  try {
    await redisReady(redis, config.REDIS_TIMEOUT_MS);
    await followLog();
    const readPosition = async () => {
      const keys = await live.refresh();
      return (keys && (await readCheckpoint(redis, keys)))?.position;
    };
    let seen = await readPosition();
    for (let movedAt = performance.now(); performance.now() - movedAt < NO_SERVICE_AFTER_MS;) {
      if (seen !== undefined && seen >= position) return `The reports show it (position ${position}).`;
      if (seen !== undefined)
        progress.update({ label: 'bringing it to the reports (events)', done: seen, total: position });
      await delay(REPORTS_PAUSE_MS);
      const now = await readPosition();
      const isRebuilding = live.space !== undefined && (await readWork(redis, live.space)) !== undefined;
      if (now !== seen || isRebuilding) movedAt = performance.now();
      seen = now;
    }
    return seen === undefined
      ? 'There is no read model yet: the reports will show it when a service has built one.'
      : `The reports are at position ${seen} of ${position} and stand still: they will show it when a service is running.`;
  } catch (error) {
    // Without Redis there are no reports to look at; the import itself is done.
    return `${redisFailure(redis, error)}. The reports will show it when a service is running.`;
  } finally {
    progress.stop();
  }
}
