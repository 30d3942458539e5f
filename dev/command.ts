import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** A program with its arguments, ready for `spawn`. */
export type Command = [program: string, ...args: string[]];

export interface Outcome {
  /** `undefined` when the program did not start, or when a signal or the time limit ended it. */
  exitCode: number | undefined;
  /** What it printed to stdout and stderr. */
  output: string;
}

/** The folders to search for programs. Linux keeps servers in folders that a normal user's PATH does not name. */
export function defaultSearchPath(env: NodeJS.ProcessEnv): string[] {
  const onPath = (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return [...onPath, '/usr/sbin', '/usr/local/sbin'];
}

/** The full path of the first executable file with one of these names; an earlier name wins over an earlier folder. */
export function findProgram(searchPath: string[], ...names: string[]): string | undefined {
  return names.flatMap((name) => searchPath.map((folder) => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // it does not exist, or we may not run it
  }
}

/**
 * Runs a command and waits for its end. The command gets its own session, so Ctrl-C does not interrupt it: half an
 * installation, or half a new database, would be worse than the wait. Never rejects.
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

/** The last lines of a long text, indented for an error message. */
export function tail(text: string, lines = 15): string {
  const kept = text.trimEnd().split('\n').slice(-lines);
  return kept.map((line) => `  ${line}`).join('\n');
}

/** Why a server failed, from its log: its errors, which the stack that it prints when it aborts hides, or its last lines. */
export function lastWords(log: string, where: string): string {
  const errors = log.split('\n').filter((line) => /\[ERROR\]|disk is full|no space left/i.test(line));
  const cause = /\berr(or|code|no):? 28\b|disk is full|no space left/i.test(log) ? 'The disk is full. ' : '';
  if (errors.length === 0) return `${cause}The last lines of ${where}:\n${tail(log)}`;
  return `${cause}The last errors in ${where}:\n${tail(errors.join('\n'))}`;
}

/** A word as a shell takes it, for commands that are printed to be pasted. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

let setprivWorks: boolean | undefined;

/**
 * The same command, wrapped so that it gets SIGTERM when this process ends, even by `kill -9`. Only Linux can do this.
 * The command must not change its user: the kernel then forgets the wrapper's request.
 */
export function endingWithParent(command: Command): Command {
  const wrapper: Command = ['setpriv', '--pdeathsig', 'TERM'];
  // A small or old system may have no `setpriv`, or one without this option. Trying it once answers both.
  setprivWorks ??= spawnSync(wrapper[0], [...wrapper.slice(1), 'true'], { timeout: 5000 }).status === 0;
  return setprivWorks ? [...wrapper, ...command] : command;
}
