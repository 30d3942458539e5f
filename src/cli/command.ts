import type { Config } from '../config';
import { errorMessage } from '../domain/errors';
import { createLogger } from '../logger';
import type { ResyncDeps } from '../projections/resync/resync-lease';
import { redisReady } from '../redis/client';
import { openStores, type Stores } from '../stores';
import { showProgress, type Progress } from './progress';

/** What a command cannot do at this moment; the message is all that an operator needs. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
}

/** A command prints what it did; it logs nothing. */
const NO_LOG = createLogger({ LOG_LEVEL: 'silent' });

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
      throw new NotNow(`Redis cannot be reached: ${errorMessage(error)}`);
    });
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
