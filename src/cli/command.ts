import { Directory } from '../access/directory';
import type { Config } from '../config';
import { createLogger } from '../logger';
import type { Database } from '../mysql/pool';
import { refuseOldDatabase } from '../mysql/dialect';
import { createdMessage, migrate } from '../mysql/migrate';
import type { ResyncDeps } from '../projections/resync/resync-lease';
import { redisFailure, redisReady, refuseOldServer } from '../redis/client';
import { openStores, type Stores } from '../stores';
import { showProgress, type Progress } from './progress';

/** What a command cannot do at this moment; the message is all that an operator needs. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
}

/** A command prints what it did; it logs nothing. */
const NO_LOG = createLogger({ LOG_LEVEL: 'silent' });

/** Brings the schema up to date. @returns the names of the migrations that were applied. */
export function bringSchemaUp({ DATABASE_URL, MYSQL_TIMEOUT_MS }: Config): Promise<string[]> {
  return migrate(DATABASE_URL, MYSQL_TIMEOUT_MS, {
    onCreated: (name) => console.error(createdMessage(name)),
  });
}

/** Runs a command that needs MySQL, and Redis where it is there. @returns its exit code. */
export async function withStores(
  config: Config,
  run: (stores: Stores, progress: Progress) => Promise<number>,
): Promise<number> {
  const stores = openStores(config, NO_LOG);
  const progress = showProgress(process.stdout);
  try {
    return await run(stores, progress);
  } finally {
    progress.stop();
    await stores.close();
  }
}

/** Runs a command on the read model of the log that MySQL has. @returns its exit code. */
export async function withReadModel(
  config: Config,
  run: (stores: Stores, resyncDeps: ResyncDeps) => Promise<number>,
): Promise<number> {
  return withStores(config, async (stores, progress) => {
    const { redis, live, databases, reconcile } = stores;
    await redisReady(redis, config.REDIS_TIMEOUT_MS).catch((error: unknown) => {
      throw new NotNow(redisFailure(redis, error));
    });
    await refuseOldServer(redis);
    await databases.reads.session(refuseOldDatabase);
    await stores.followLog();
    return run(stores, {
      redis,
      database: databases.reads,
      live,
      log: NO_LOG,
      reconcile,
      observe: (state) => {
        if (state === undefined) progress.stop();
        else
          progress.update({ label: `${state.kind}: ${state.phase}`, done: state.done, total: state.total });
      },
    });
  });
}

/** Runs a command about who may do what. @returns its exit code. */
export async function withDirectory(
  config: Config,
  run: (directory: Directory, database: Database) => Promise<number>,
): Promise<number> {
  return withStores(config, async ({ databases }) => {
    const directory = new Directory(databases.reads, NO_LOG);
    await directory.look();
    return run(directory, databases.commands);
  });
}

/** As `withDirectory`, for changes. The first one may be made before the service has ever run, or its new release has. */
export async function changeAccessOf(
  config: Config,
  run: (directory: Directory, database: Database) => Promise<number>,
): Promise<number> {
  await bringSchemaUp(config);
  return withDirectory(config, run);
}
