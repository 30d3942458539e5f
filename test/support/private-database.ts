import { startServers } from '../../dev/servers';

/** A MySQL of a test's own, whose settings it may change. */
export async function privateDatabase(): Promise<{ url: string; stop(): Promise<void> }> {
  // The Redis is the one of the run; only a database is started.
  const servers = await startServers({
    env: { PATH: process.env.PATH, REDIS_URL: process.env.REDIS_URL },
    allowInstall: true,
    log: () => undefined,
  });
  return { url: servers.databaseUrl, stop: () => servers.stop() };
}
