import { mkdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import Redis from 'ioredis';
import { refuseOldRedis } from '../src/server-version';
import { startChild } from './child';
import { findProgram } from './command';
import { OWNER_ONLY } from './home';
import type { Place, RunningServer, ServerKind } from './server-kind';

export const redis: ServerKind = {
  service: 'redis',
  variable: 'REDIS_URL',
  composeUrl: 'redis://127.0.0.1:6379',
  programs: 'redis-server or valkey-server',
  // In Debian, redis-check-rdb of redis-tools is the same program as redis-server. The package `redis-server` adds only a
  // link to it, and would also start a system service.
  packages: ['redis-tools'],
  refuseOld: refuseOldRedis,
  find(searchPath) {
    const program = findProgram(searchPath, 'redis-server', 'valkey-server', 'redis-check-rdb');
    return program === undefined ? undefined : { program, start: (place) => start(program, place) };
  },
};

async function start(program: string, place: Place): Promise<RunningServer & { pid: number }> {
  const { runDir, dataDir, logFile, onDeath } = place;
  await mkdir(dataDir, { recursive: true, mode: OWNER_ONLY });
  const server = await underItsName(program, runDir);
  const socket = path.join(runDir, 'redis.sock');
  const child = await startChild({
    name: path.basename(server),
    logFile,
    onDeath,
    probe: () => ping(socket),
    command: [
      server,
      ...flags({
        port: '0',
        unixsocket: socket,
        unixsocketperm: '700',
        dir: dataDir,
        appendonly: 'yes',
        appendfsync: 'everysec',
        save: '',
        // Redis must never evict a key of the read model to make room.
        'maxmemory-policy': 'noeviction',
        // By default, a hash with a field over 64 bytes takes more memory; an order's list of items is longer.
        'hash-max-listpack-value': '1024',
      }),
    ],
  });
  return { url: socket, ...child };
}

function flags(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** The program is a server or a checker, depending on the name by which it is called. */
async function underItsName(program: string, runDir: string): Promise<string> {
  if (path.basename(program) !== 'redis-check-rdb') return program;
  const link = path.join(runDir, 'redis-server');
  await rm(link, { force: true }); // left by an earlier start in the same place
  await symlink(program, link);
  return link;
}

/** Also fails while the server is still loading its data. */
async function ping(socketPath: string): Promise<void> {
  const client = new Redis(socketPath, {
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    connectTimeout: 5000,
    commandTimeout: 5000,
  });
  client.on('error', () => undefined); // `connect` rejects with the same error
  await client.connect();
  try {
    await client.ping();
  } finally {
    client.disconnect();
  }
}
