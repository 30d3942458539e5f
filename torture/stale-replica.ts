import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Proxy } from './proxy';
import { startableRedis } from './servers';
import type { Stage } from './stage';

const SYNC_WITHIN_MS = 10_000;

/**
 * A second Redis copies the first, is cut off, and takes over later: the writes since the cut are lost. The old one is
 * killed. The new one takes over by its files, so that it is where the services look for it.
 * @param staleMs for how long it is cut off before.
 */
export async function failOverToStaleReplica({ redis, servers }: Stage, staleMs: number): Promise<string> {
  const runDir = await mkdtemp(join(tmpdir(), `tally-${process.pid}-`));
  const replica = startableRedis(runDir);
  // Replication needs TCP, and the server that is copied only has a socket.
  const link = await Proxy.start({ path: servers.redisPath });
  const client = new Redis(await replica.start());
  client.on('error', () => undefined); // it ends with its server
  try {
    await redis.config('SET', 'repl-diskless-sync-delay', 0); // it waits 5 s for more replicas otherwise
    await client.replicaof('127.0.0.1', link.port);
    await until(client, /master_link_status:up/);
    // It writes its own log anew after the copy, and takes over by it.
    await until(client, /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/);
    await link.cut();
    await delay(staleMs);
    await client.replicaof('NO', 'ONE');
    await servers.redis.kill();
    await replica.stop();
    await servers.redis.replaceFiles(await replica.snapshot());
    await servers.redis.start();
    return `stale for ${staleMs} ms`;
  } finally {
    client.disconnect();
    await link.close();
    await replica.stop();
    await rm(runDir, { recursive: true });
  }
}

async function until(client: Redis, state: RegExp): Promise<void> {
  const deadline = performance.now() + SYNC_WITHIN_MS;
  while (!state.test(await client.info())) {
    if (performance.now() > deadline) throw new Error(`no ${state} within ${SYNC_WITHIN_MS} ms`);
    await delay(20);
  }
}
