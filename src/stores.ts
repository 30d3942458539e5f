import type { Logger } from 'pino';
import { reconcileSubject } from './commands/reconcile';
import { Writer, type CommitListener } from './commands/writer/writer';
import type { Config } from './config';
import { instantAt } from './domain/ids';
import { readHead, type Head } from './mysql/log';
import { openDatabases, type Databases } from './mysql/pool';
import { within } from './mysql/within';
import type { ResyncDeps } from './projections/resync/resync-lease';
import { LiveGeneration } from './read-model/live';
import { connectRedis, type Redis } from './redis/client';

/** MySQL and Redis, and what both the service and the command line need of them. */
export interface Stores {
  databases: Databases;
  /** For the projector and resyncs; apart from requests, so that a long script does not delay their answers. */
  redis: Redis;
  requests: Redis;
  live: LiveGeneration;
  writer: Writer;
  /** Brings to the log what another program did. */
  reconcile: ResyncDeps['reconcile'];
  /** The head of the log; from then on it is known whose read model this is. */
  followLog: () => Promise<Head>;
  close(): Promise<void>;
}

export interface Listener extends CommitListener {
  /** Told how long each command waited for a connection, in seconds. */
  onPoolWait: (seconds: number) => void;
}

const CLOSE_MS = 2_000;

const NOBODY: Listener = {
  committed: () => undefined,
  nudge: () => undefined,
  onPoolWait: () => undefined,
};

/** Opens the stores; connects lazily, and Redis may be away. */
export function openStores(config: Config, log: Logger, listener = NOBODY): Stores {
  const databases = openDatabases(config, listener.onPoolWait);
  const redis = connectRedis(config, 'projector', log);
  const requests = connectRedis(config, 'requests', log);
  const live = new LiveGeneration(redis, config.REDIS_PREFIX);
  const writer = new Writer(databases.commands, listener, {
    timeoutMs: config.MYSQL_TIMEOUT_MS,
    maxWaiting: config.MYSQL_QUEUE_LIMIT,
  });
  return {
    databases,
    redis,
    requests,
    live,
    writer,
    reconcile: (subject) => reconcileSubject(writer, subject, instantAt(Date.now())),
    async followLog() {
      const head = await databases.reads.session(readHead);
      live.follow(head.logId);
      return head;
    },
    async close() {
      redis.disconnect();
      requests.disconnect();
      // A server that has gone silent must not hold up the end.
      await within(CLOSE_MS, 'end of the connections', databases.close()).catch(() => undefined);
    },
  };
}
