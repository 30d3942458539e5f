import { format } from '../bench';
import type { Case, Goal, Results, Subject } from '../results';

/** The results as Markdown tables, for docs/performance.md. */
export function markdownOf(results: Results): string {
  const groups = new Map<string, Case[]>();
  for (const one of results.cases) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return [
    ...header(results),
    '## Goals',
    goalsTable(results.goals),
    ...[...groups].flatMap(([group, cases]) => [`## ${group}`, caseTable(cases), ...extrasTable(cases)]),
    ...(results.families.length === 0 ? [] : ['## Keys of the read model', familiesTable(results)]),
  ].join('\n\n');
}

function header({ machine, settings, dataset, ...results }: Results): string[] {
  const list = (values: Record<string, string>) =>
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ');
  const lines = [
    `${results.quick ? 'Quick run' : 'Full run'}, ${results.rounds} round(s), seed ${results.seed}, ${results.finishedAt}`,
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${format(machine.memoryBytes / 2 ** 30)} GiB, ${machine.system}, Node ${machine.node}`,
    `MySQL ${settings.mysqlVersion}: ${list(settings.mysqlSettings)}`,
    `Redis ${settings.redisVersion}: ${list(settings.redisSettings)}`,
    `Tally: ${settings.tally}`,
    `Data: ${count(dataset.users)} users, ${count(dataset.products)} products, ${dataset.orders.map(count).join(', ')} orders; each load ${format(dataset.loadSeconds)} s`,
  ];
  return [lines.map((line) => `- ${line}`).join('\n')];
}

function goalsTable(goals: Goal[]): string {
  const verdict = ({ reached, measured }: Goal) => {
    if (measured === undefined) return 'not measured';
    if (reached === undefined) return '';
    return reached ? 'reached' : '**not reached**';
  };
  return table(
    ['what', 'goal', 'measured', ''],
    goals.map((goal) => [goal.name, goal.goal, goal.measured ?? '', verdict(goal)]),
  );
}

function caseTable(cases: Case[]): string {
  return table(
    ['case', 'subject', 'median', 'spread', 'p50 ms', 'p99 ms', 'p99.9 ms', 'Tally is'],
    cases.flatMap((one) =>
      one.subjects.map((subject, index) => [
        index === 0 ? one.name : '',
        subject.name,
        `${format(subject.median)} ${one.unit}`,
        `${format(subject.min)} to ${format(subject.max)}`,
        ...latencyCells(subject),
        timesBetter(one, subject),
      ]),
    ),
  );
}

function latencyCells({ latency }: Subject): string[] {
  return latency === undefined ? ['', '', ''] : [latency.p50, latency.p99, latency.p999].map(format);
}

function timesBetter({ ratios }: Case, { name }: Subject): string {
  const times = ratios.find(({ against }) => against === name)?.times;
  return times === undefined ? '' : `${format(times)}×`;
}

/** Figures beside the measured one. */
function extrasTable(cases: Case[]): string[] {
  const rows = cases.flatMap((one) =>
    one.subjects.flatMap(({ name, extra }) =>
      extra === undefined
        ? []
        : [
            [
              one.name,
              name,
              Object.entries(extra)
                .map(([key, value]) => `${key} ${format(value)}`)
                .join(', '),
            ],
          ],
    ),
  );
  return rows.length === 0 ? [] : [table(['case', 'subject', 'also'], rows)];
}

function familiesTable({ families }: Results): string {
  return table(
    ['key', 'keys', 'bytes per key', 'megabytes'],
    families.map(({ name, keys, bytesPerKey }) => [
      `\`${name}\``,
      count(keys),
      format(bytesPerKey),
      format((keys * bytesPerKey) / 1e6),
    ]),
  );
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
