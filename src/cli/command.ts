import type { Config } from '../config';
import { errorMessage } from '../domain/errors';
import { Problem } from '../domain/problems';
import { createLogger } from '../logger';
import { GenerationLost } from '../projections/projector/generation-lost';
import type { ResyncDeps } from '../projections/resync/resync-lease';
import { ResyncError } from '../projections/resync/resync-error';
import { redisReady } from '../redis/client';
import { openStores, type Stores } from '../stores';
import { showProgress } from './progress';

class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/** What a command cannot do at this moment; the message is all that an operator needs. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
}

/** Errors whose message is all that an operator needs. */
const EXPLAINED = [Problem, RedisAway, NotNow, ResyncError, GenerationLost];

/** Runs a command that needs both stores and whose log they follow. @returns its exit code. */
export async function withStores(
  config: Config,
  run: (stores: Stores, resyncDeps: ResyncDeps) => Promise<number>,
): Promise<number> {
  const log = createLogger({ LOG_LEVEL: 'silent' });
  const stores = openStores(config, log);
  const progress = showProgress(process.stdout);
  const { redis, live, databases, reconcile } = stores;
  try {
    await redisReady(redis, config.REDIS_TIMEOUT_MS).catch((error: unknown) => {
      throw new RedisAway(`Redis cannot be reached: ${errorMessage(error)}`);
    });
    await stores.followLog();
    return await run(stores, {
      redis,
      database: databases.reads,
      live,
      log,
      reconcile,
      observe: (state) => {
        if (state === undefined) progress.stop();
        else
          progress.update({ label: `${state.kind}: ${state.phase}`, done: state.done, total: state.total });
      },
    });
  } catch (error) {
    progress.stop();
    if (!EXPLAINED.some((type) => error instanceof type)) throw error;
    console.error(errorMessage(error));
    return 1;
  } finally {
    await stores.close();
  }
}
