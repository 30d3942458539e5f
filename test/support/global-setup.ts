import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServers, type Servers } from '../../dev/servers';

declare global {
  /** Handed to the teardown, which Jest loads apart from this file. */
  var testServers: Servers | undefined;
}

/** Starts one database and one Redis for the whole run, as durable as in production; the workers inherit their addresses. */
export default async function globalSetup(): Promise<void> {
  process.env.TEST_OUTPUT = await mkdtemp(join(tmpdir(), 'tally-test-output-'));
  const servers = await startServers({
    env: process.env,
    allowInstall: true,
    log: (line) => console.error(line),
    onDeath: (message) => console.error(message),
  });
  globalThis.testServers = servers;
  process.env.DATABASE_URL = servers.databaseUrl;
  process.env.REDIS_URL = servers.redisUrl;
}
