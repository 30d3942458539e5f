import { Redis } from 'ioredis';
import { startServers } from '../../dev/servers';

/** A Redis of a test's own, to be ill-treated. */
export async function privateRedis(): Promise<{ url: string; client: Redis; stop(): Promise<void> }> {
  // The database is the one of the run; only a Redis is started.
  const servers = await startServers({
    env: { PATH: process.env.PATH, DATABASE_URL: process.env.DATABASE_URL },
    allowInstall: true,
    log: () => undefined,
  });
  const client = new Redis(servers.redisUrl);
  return {
    url: servers.redisUrl,
    client,
    async stop() {
      client.disconnect();
      await servers.stop();
    },
  };
}
