import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** A program with its arguments, ready for `spawn`. */
export type Command = [program: string, ...args: string[]];

export interface Outcome {
  /** `undefined` where the program could not be started, or was ended by a signal or the time limit. */
  exitCode: number | undefined;
  /** What it printed, on both streams. */
  output: string;
}

/** Where programs are looked for. A normal user's PATH lacks the folders in which Linux keeps its servers. */
export function defaultSearchPath(env: NodeJS.ProcessEnv): string[] {
  const onPath = (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return [...onPath, '/usr/sbin', '/usr/local/sbin'];
}

/** The full path of the first of `names` that is an executable file in one of the folders. */
export function findProgram(searchPath: string[], ...names: string[]): string | undefined {
  return names.flatMap((name) => searchPath.map((folder) => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // not there, or not for us: either way, look on
  }
}

/**
 * Runs a command to its end, in a session of its own, so that Ctrl-C at the terminal does not cut it off half-way: a
 * package manager or a database that is being initialised would leave a mess. Never rejects.
 */
export function run([program, ...args]: Command, limitMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.once('error', (error) => resolve({ exitCode: undefined, output: error.message }));
    child.once('close', (exitCode) => resolve({ exitCode: exitCode ?? undefined, output }));
  });
}

/** The last lines of a long text, indented, for the end of an error message. */
export function tail(text: string, lines = 15): string {
  const kept = text.trimEnd().split('\n').slice(-lines);
  return kept.map((line) => `  ${line}`).join('\n');
}

let setprivWorks: boolean | undefined;

/**
 * The same command, made to receive SIGTERM when this process goes away, were it by `kill -9`. Linux alone can do so.
 * The kernel forgets the wish when a program changes its user, so the command must not do that afterwards.
 */
export function endingWithParent(command: Command): Command {
  const wrapper: Command = ['setpriv', '--pdeathsig', 'TERM'];
  // The setpriv of a small or old system may lack the option: one trial answers for all of that.
  setprivWorks ??= spawnSync(wrapper[0], [...wrapper.slice(1), 'true'], { timeout: 5000 }).status === 0;
  return setprivWorks ? [...wrapper, ...command] : command;
}
