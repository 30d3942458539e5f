import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Config } from '../src/config';
import { endingWithParent } from './command';
import { ROOT } from './paths';

/** tsx kills a service that does not stop within 5 s, but waits for ever for one that is already dead. */
const STOP_WITHIN_MS = 7_000;

export interface WatchOptions {
  env: NodeJS.ProcessEnv;
  config: Pick<Config, 'HOST' | 'PORT'>;
  log: Writable;
  /** Called when the watcher ends by itself. It outlives a service that crashes or cannot start. */
  onDeath: (message: string) => void;
}

/** Runs the service in a process of its own, which restarts when a file in src/ or migrations/ changes. */
export function watchService({ env, config, log, onDeath }: WatchOptions) {
  const [program, ...args] = endingWithParent([
    process.execPath,
    require.resolve('tsx/cli'),
    'watch',
    '--clear-screen=false',
    // The service reads its Lua and SQL files; tsx would follow only imports.
    '--include=src/**',
    '--include=migrations/**',
    'src/main.ts',
    'serve',
  ]);
  // In a session of its own: Ctrl-C reaches the launcher alone, which stops the service first and its servers after.
  const child = spawn(program, args, {
    cwd: ROOT,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.pipe(log);

  let closing = false;
  async function end(): Promise<void> {
    await once(child, 'exit').catch(() => undefined); // it could not be started
    if (!closing)
      onDeath(`tsx watch has ended (${child.exitCode ?? child.signalCode ?? 'it did not start'})`);
  }
  const ended = end();

  return {
    url: `http://${config.HOST}:${config.PORT}`,
    async close(): Promise<void> {
      closing = true;
      child.kill('SIGTERM');
      const { pid } = child;
      const timer = setTimeout(() => {
        if (pid !== undefined) process.kill(-pid, 'SIGKILL'); // with the service
      }, STOP_WITHIN_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}
