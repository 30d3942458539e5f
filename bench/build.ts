import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../dev/command';
import { ROOT } from '../dev/paths';

const BUILD_WITHIN_MS = 120_000;

/** Where the compiled programs are. */
export interface Build {
  /** Tally as its users run it. */
  tally: string;
  /** A program of the bench, compiled by the same compiler: a baseline run by tsx would be slower for no fault of its own. */
  program(name: string): string;
}

/** Builds Tally with its own build command, and the bench's own programs into a directory. */
export async function build(directory: string): Promise<Build> {
  await succeed(['npm', 'run', '--silent', 'build']);
  await succeed([join(ROOT, 'node_modules', '.bin', 'tsc'), '-p', join(__dirname), '--outDir', directory]);
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return {
    tally: join(ROOT, 'dist', 'main.js'),
    program: (name) => join(directory, `${name}.js`),
  };
}

async function succeed(command: [string, ...string[]]): Promise<void> {
  const { exitCode, output } = await run(command, BUILD_WITHIN_MS);
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed:\n${output}`);
}
