import { readFile } from 'node:fs/promises';
import { FAULT_NAMES, faultOf, type FaultName } from './faults';

/** What a torture leaves behind for the report. */
export type Recorded =
  | {
      kind: 'run';
      mysql: string;
      /** What `src/` was, where the run belongs to a campaign. */
      sources?: string | undefined;
      seed: number;
      seconds: number;
      clients: number;
      /** On average; absent where the services did not count it. */
      commandsPerTransaction?: number | undefined;
      faults: Record<string, number>;
      operations: number;
      readsChecked: number;
      /** Reads while keys were damaged on purpose. */
      readsExcused: number;
      events: number;
      healMs: number | undefined;
      violations: string[];
    }
  | { kind: 'healing'; mysql: string; healing: Record<string, number[]> };

/** Adds up files of `--out` and prints tables in Markdown. */
export async function printReport(files: string[]): Promise<void> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const records = texts
    .flatMap((text) => text.trim().split('\n'))
    .map((line) => JSON.parse(line) as Recorded);
  const runs = records.filter((record) => record.kind === 'run');
  const servers = [...new Set(records.map(({ mysql }) => mysql))].toSorted();

  const columns = [
    'server',
    'runs',
    'clients',
    'seconds of faults',
    'faults',
    'requests',
    'commands in a transaction',
    'reads checked',
    'reads of damaged keys',
    'events',
    'worst time until whole',
    'violations',
  ];
  console.log(`| ${columns.join(' | ')} |`);
  console.log(`| ${columns.map(() => '---').join(' | ')} |`);
  for (const server of servers) {
    const own = runs.filter(({ mysql }) => mysql === server);
    if (own.length === 0) continue;
    const total = (of: (run: (typeof own)[number]) => number) => own.reduce((sum, run) => sum + of(run), 0);
    const cells = [
      server,
      own.length,
      range(own.map(({ clients }) => clients)),
      total(({ seconds }) => seconds),
      total(({ faults }) => Object.values(faults).reduce((a, b) => a + b, 0)),
      total(({ operations }) => operations),
      range(own.flatMap(({ commandsPerTransaction }) => commandsPerTransaction?.toFixed(1) ?? [])),
      total(({ readsChecked }) => readsChecked),
      total(({ readsExcused }) => readsExcused),
      total(({ events }) => events),
      seconds(Math.max(...own.map(({ healMs }) => healMs ?? Infinity))),
      total(({ violations }) => violations.length),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }

  console.log(
    `\n| fault | what it is | ${servers.map((name) => `${name}: count`).join(' | ')} | worst time to heal, alone |`,
  );
  console.log(`| --- | --- | ${servers.map(() => '---').join(' | ')} | --- |`);
  for (const fault of FAULT_NAMES) {
    const counts = servers.map((server) =>
      runs.filter(({ mysql }) => mysql === server).reduce((sum, { faults }) => sum + (faults[fault] ?? 0), 0),
    );
    const times = records.flatMap((record) =>
      record.kind === 'healing' ? (record.healing[fault] ?? []) : [],
    );
    console.log(`| ${fault} | ${faultOf(fault).about} | ${counts.join(' | ')} | ${worst(times)} |`);
  }
}

export function healingTable(healing: Record<string, number[]>): string {
  const rows = Object.entries(healing).map(
    ([fault, times]) => `| ${fault} | ${faultOf(fault as FaultName).about} | ${worst(times)} |`,
  );
  return ['| fault | what it is | worst time to heal |', '| --- | --- | --- |', ...rows].join('\n');
}

/** "8 to 64" */
function range(values: (number | string)[]): string {
  const [least = 'unknown', ...others] = values.toSorted((a, b) => Number(a) - Number(b));
  const most = others.at(-1) ?? least;
  return least === most ? String(least) : `${least} to ${most}`;
}

function worst(times: number[]): string {
  return times.length === 0 ? 'not measured' : `${seconds(Math.max(...times))} of ${times.length}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
