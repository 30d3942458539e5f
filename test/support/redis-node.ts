import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Redis } from 'ioredis';
import { defaultSearchPath, endingWithParent, findProgram } from '../../dev/command';
import { freePort } from '../../torture/proxy';
import { until } from './tally';

/** A Redis or Sentinel of a test's own that listens on a TCP port, as Sentinel needs it. */
export interface RedisNode {
  port: number;
  client: Redis;
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  stop(): Promise<void>;
}

export async function startRedisNode(
  lines: (port: number) => string[],
  sentinel = false,
): Promise<RedisNode> {
  const program = findProgram(
    defaultSearchPath(process.env),
    'redis-server',
    'valkey-server',
    'redis-check-rdb',
  );
  if (program === undefined) throw new Error('there is no redis-server');
  const directory = await mkdtemp(join(tmpdir(), 'tally-redis-'));
  // Debian's redis-tools carry the server under the name of a checker; it goes by the name that it is called by.
  const server = join(directory, basename(program).startsWith('valkey') ? 'valkey-server' : 'redis-server');
  await symlink(program, server);
  const port = await freePort();
  const config = join(directory, 'redis.conf');
  await writeFile(config, [`port ${port}`, 'bind 127.0.0.1', `dir ${directory}`, ...lines(port)].join('\n'));
  const [command, ...args] = endingWithParent([server, config, ...(sentinel ? ['--sentinel'] : [])]);
  const child: ChildProcess = spawn(command, args, { stdio: 'ignore' });
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50, disconnectTimeout: 100 });
  client.on('error', () => undefined); // expected: it is killed
  await until(() => client.ping());
  return {
    port,
    client,
    signal: (name) => void child.kill(name),
    async stop() {
      client.disconnect();
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}
