import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endingWithParent } from '../../dev/command';
import { loadConfig } from '../../src/config';
import { leaks, noteSettings } from './watch';

const ROOT = join(__dirname, '..', '..');

/** A process of a test's own. */
export interface TestProcess {
  /** What the line that was waited for matched. */
  match: string;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a process, and waits until it prints a line that matches. */
export async function startProcess(
  args: string[],
  env: Record<string, string>,
  line: RegExp,
): Promise<TestProcess> {
  const [program, ...rest] = endingWithParent([process.execPath, ...args]);
  const child: ChildProcess = spawn(program, rest, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  if (child.stdout === null) throw new Error('no output');
  for await (const text of createInterface({ input: child.stdout })) {
    leaks.output(`${text}\n`);
    const [match, first] = line.exec(text) ?? [];
    if (match === undefined) continue;
    child.stdout.setEncoding('utf8').on('data', (piece: string) => leaks.output(piece));
    return { match: first ?? match, kill };
  }
  throw new Error(`${args.join(' ')} ended before it was ready`);
}

/** A service as a process, which can be killed. @returns where it listens. */
export async function startServiceProcess(env: Record<string, string>): Promise<TestProcess> {
  noteSettings(loadConfig(env));
  return startProcess(
    ['--import', 'tsx', 'src/main.ts', 'serve'],
    { ...env, LOG_LEVEL: 'trace' },
    /Server listening at (http:[^"]+)/,
  );
}
