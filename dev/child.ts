import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, endingWithParent, tail } from './command';
import { LaunchError } from './launch-error';

/** A server that crashed needs a while to recover its data; one that is not ready by then never will be. */
const READY_WITHIN_MS = 60_000;
const PROBE_EVERY_MS = 25;

/** MariaDB writes its dirty pages before it ends: seconds on a slow disk. */
const STOP_WITHIN_MS = 30_000;

export interface ChildOptions {
  name: string;
  command: Command;
  logFile: string;
  /** Resolves when the server answers, rejects as long as it does not; must bound its own wait. */
  probe: () => Promise<void>;
  /** Called when a server that was ready ends without having been asked to. */
  onDeath: (message: string) => void;
}

/** A server that answers. */
export interface Child {
  /** Of the server itself: wrappers on the way are replaced by it. */
  pid: number;
  /** Stops it, and waits for its end. */
  stop(): Promise<void>;
}

/**
 * Starts a server as a child process and waits until it answers. It runs in a session of its own: Ctrl-C at the terminal
 * reaches the launcher alone, which stops the application first and its servers after.
 * @throws LaunchError with the end of the server's log.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, logFile, probe, onDeath } = options;
  const [program, ...args] = endingWithParent(options.command);
  const log = openSync(logFile, 'w'); // one run's log at a time, so that it cannot grow for ever
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  // Where `endingWithParent` cannot help, at least an orderly exit of this process takes the server with it.
  const endWithUs = () => child.kill('SIGTERM');
  process.once('exit', endWithUs);

  let ending: string | undefined;
  const ended = new Promise<void>((resolve) => {
    const end = (how: string) => {
      ending = how;
      process.off('exit', endWithUs);
      resolve();
    };
    child.once('error', (error) => end(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => end(signal ? `was ended by ${signal}` : `exited with code ${code}`));
  });

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
    return new LaunchError(`${name} ${what}. The end of its log (${logFile}):\n${tail(text)}`);
  }

  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    if (ending !== undefined) throw await failure(ending);
    try {
      await probe();
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
    if (!stopping) onDeath(`${name} ${ending}; its log is ${logFile}`);
  }
  void watch();
  if (child.pid === undefined) throw await failure('has no process'); // it answered, so it has one
  return { pid: child.pid, stop };
}
