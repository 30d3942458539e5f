import { createLogger } from '../../src/logger';
import type { ResyncDeps } from '../../src/projections/resync/resync-lease';
import { redisReady } from '../../src/redis/client';
import { openStores, type Stores } from '../../src/stores';
import type { Place } from './tally';

/** The stores of a place without a service, as the command line opens them. */
export async function openHere(place: Pick<Place, 'config'>): Promise<Stores & { resyncDeps: ResyncDeps }> {
  const log = createLogger({ LOG_LEVEL: 'silent' });
  const stores = openStores(place.config, log);
  await Promise.all([redisReady(stores.redis, 5000), redisReady(stores.requests, 5000)]);
  await stores.followLog();
  const { redis, databases, live, reconcile } = stores;
  return { ...stores, resyncDeps: { redis, database: databases.reads, live, log, reconcile } };
}
