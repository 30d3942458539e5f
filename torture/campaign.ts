import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { FAULT_NAMES, type FaultName } from './faults';
import type { Recorded } from './report';

/** So few clients that commands are alone, and so many that they share transactions; in turn. */
const CLIENTS = [8, 64];

/** The id that git gives to the content of `src/`. @throws where some of it is not committed. */
export function sourcesId(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  if (git('status', '--porcelain', 'src') !== '') throw new Error('src/ has changes that are not committed');
  return git('rev-parse', '--short', 'HEAD:src');
}

/**
 * The next run of a campaign, which goes on until every fault was injected so often on this server with these sources, as
 * the file says. So it can be ended at any time and begun again. It injects the faults that are still to come.
 */
export function nextRun(
  file: string,
  { mysql, sources, times }: { mysql: string; sources: string; times: number },
): { seed: number; clients: number; faults: FaultName[] } | undefined {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const records = lines.map((line) => JSON.parse(line) as Recorded).filter((record) => record.kind === 'run');
  const own = records.filter((record) => record.mysql === mysql && record.sources === sources);
  const faults = FAULT_NAMES.filter(
    (name) => own.reduce((sum, { faults }) => sum + (faults[name] ?? 0), 0) < times,
  );
  if (faults.length === 0) return undefined;
  const seed = 1 + records.reduce((last, record) => Math.max(last, record.seed), 0);
  return { seed, clients: CLIENTS[own.length % CLIENTS.length] ?? 8, faults };
}
