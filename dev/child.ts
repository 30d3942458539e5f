import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, endingWithParent, lastWords } from './command';
import { LaunchError } from './launch-error';

/** After a crash, a server first recovers its data. If it is not ready by then, it never will be. */
const READY_WITHIN_MS = 60_000;
const PROBE_EVERY_MS = 25;

/** Before it stops, MariaDB writes its dirty pages to disk: on a slow disk that takes seconds. */
const STOP_WITHIN_MS = 30_000;

export interface ChildOptions {
  name: string;
  command: Command;
  logFile: string;
  /** Asks the server something: resolves when it answers, rejects when it does not. Must limit its own wait. */
  probe: () => Promise<void>;
  /** Called when the server stops by itself after it was ready. */
  onDeath: (message: string) => void;
}

export interface Child {
  /** The process id of the server itself: `setpriv` becomes the server. */
  pid: number;
  /** Stops the server and waits until it has ended. */
  stop(): Promise<void>;
}

/**
 * Starts a server as a child process and waits until it answers. The server gets its own session: Ctrl-C at the terminal
 * then reaches only the launcher, which stops the service first and the servers after it.
 * @throws LaunchError with the last lines of the server's log.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, logFile, probe, onDeath } = options;
  const [program, ...args] = endingWithParent(options.command);
  const log = openSync(logFile, 'w'); // keeps the log of one run only, so the file cannot grow without limit
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  // Without a working `setpriv`, the server still ends when this process exits normally.
  const endWithUs = () => child.kill('SIGTERM');
  process.once('exit', endWithUs);

  /** How the server ended. */
  let ending: string | undefined;
  async function waitForEnd(): Promise<void> {
    try {
      const [code, signal] = await once(child, 'exit');
      ending = signal ? `was ended by ${signal}` : `exited with code ${code}`;
    } catch (error) {
      ending = `could not be started (${String(error)})`;
    }
    process.off('exit', endWithUs);
  }
  const ended = waitForEnd();

  let stopping = false;
  async function stop(): Promise<void> {
    stopping = true;
    child.kill('SIGTERM');
    const giveUp = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await ended;
    clearTimeout(giveUp);
  }

  async function failure(what: string): Promise<LaunchError> {
    const text = await readFile(logFile, 'utf8');
    return new LaunchError(`${name} ${what}. ${lastWords(text, `its log (${logFile})`)}`);
  }

  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    if (ending !== undefined) throw await failure(ending);
    try {
      // A server that ends in the middle of a question may leave it open.
      await Promise.race([probe(), ended]);
      if (ending !== undefined) continue;
      break;
    } catch (error) {
      if (performance.now() > deadline) {
        await stop();
        throw await failure(`did not answer within ${READY_WITHIN_MS / 1000} s (${String(error)})`);
      }
      await sleep(PROBE_EVERY_MS);
    }
  }

  async function watch(): Promise<void> {
    await ended;
    if (!stopping) onDeath((await failure(ending ?? 'ended')).message);
  }
  void watch();
  if (child.pid === undefined) throw await failure('has no process'); // it answered, so it has one
  return { pid: child.pid, stop };
}
