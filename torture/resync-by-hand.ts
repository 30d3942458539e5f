import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTally } from './service';
import type { Stage } from './stage';

/** One that takes longer is ended. */
const LIMIT_MS = 30_000;

let runs = 0;

interface Outcome {
  code: number | null;
  output: string;
}

/** `tally repair`, as an operator calls it; what it finds must have been caused. */
export async function repairByHand({ build, directEnv, history }: Stage): Promise<Outcome> {
  const file = join(tmpdir(), `tally-findings-${process.pid}-${++runs}`);
  const outcome = await runTally(build, directEnv, ['repair', '--findings', file], LIMIT_MS).done;
  const lines = await readFile(file, 'utf8').catch(() => ''); // it ended before it began
  await rm(file, { force: true });
  for (const line of lines.split('\n')) if (line !== '') history.found('tally repair', JSON.parse(line));
  return outcome;
}

/** `tally rebuild`; what it builds must be right. */
export async function rebuildByHand({ build, directEnv, history }: Stage): Promise<Outcome> {
  const outcome = await runTally(build, directEnv, ['rebuild'], LIMIT_MS).done;
  if (outcome.output.includes('It differed from MySQL')) {
    history.violated(`tally rebuild built a wrong read model: ${outcome.output}`);
  }
  return outcome;
}

/** `tally verify`, which only looks. */
export async function verifyByHand({ build, directEnv }: Stage): Promise<Outcome> {
  return runTally(build, directEnv, ['verify'], LIMIT_MS).done;
}
