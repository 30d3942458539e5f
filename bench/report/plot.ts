import { openLoopCase, SHARES } from '../cases/load';
import { ALL_TIME_BEST_SELLERS } from '../cases/report-plan';
import { GROUP_BY, KEYS_HGETALL, reportCase } from '../cases/reports';
import { format } from '../bench';
import { subjectIn, TALLY, type Results } from '../results';
import { CREATION_HEIGHT, creationBars } from './bars';
import { lineChart } from './lines';
import { text } from './svg';

const WIDTH = 960;
const MARGIN = 32;
const CHART_HEIGHT = 250;
const GAP = 36;

/** Of Okabe and Ito, which people with any colour vision can tell apart; a little lighter on dark ground. */
const COLORS = {
  tally: '#0072b2',
  usual: '#d55e00',
  less: '#e69f00',
  raw: '#9ca3af',
  p50: '#009e73',
  p90: '#e69f00',
  p99: '#0072b2',
  p999: '#b0588f',
};
const ON_DARK = { tally: '#4aa8e0', usual: '#f0803c', p50: '#1fc795', p99: '#4aa8e0', p999: '#e29bc7' };

function rules(colors: Record<string, string>): string {
  return Object.entries(colors)
    .map(([name, color]) => `.${name} { fill: ${color} } .line-${name} { stroke: ${color} }`)
    .join(' ');
}

const STYLE = `
  svg { font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif }
  .page { fill: #ffffff } text { fill: #1f2937 } .muted { fill: #4b5563 }
  .grid { stroke: #e5e7eb } .small { font-size: 12px } .strong { font-size: 13px; font-weight: 600 }
  .title { font-size: 17px; font-weight: 650 } .number { font-variant-numeric: tabular-nums }
  .name { font-weight: 600 } path { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  ${rules(COLORS)}
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .muted { fill: #9da7b3 } .grid { stroke: #2a313c }
    ${rules(ON_DARK)}
  }`;

/** The picture of the results: creation, a report as orders grow, and latency under a fixed load. */
export function plotOf(results: Results): string {
  const width = WIDTH - 2 * MARGIN;
  const half = (width - GAP) / 2;
  const chartsAt = MARGIN + 44 + CREATION_HEIGHT + GAP;
  const height = chartsAt + 48 + CHART_HEIGHT + MARGIN;
  const { machine, dataset } = results;
  const right = MARGIN + half + GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Tally's performance beside the usual design">`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" class="page"/>`,
    text(MARGIN, MARGIN + 4, 'Orders created a second, every one durable', 'title'),
    text(
      WIDTH - MARGIN,
      MARGIN + 4,
      `${machine.cores} cores, ${format(machine.memoryBytes / 2 ** 30)} GiB, load generator included`,
      'small muted',
      'end',
    ),
    creationBars(results, { x: MARGIN, y: MARGIN + 30, width, height: CREATION_HEIGHT }),
    text(MARGIN, chartsAt, 'Best sellers of all time, as orders grow', 'title'),
    text(MARGIN, chartsAt + 20, 'median answer, logarithmic', 'small muted'),
    reportLines(results, { x: MARGIN, y: chartsAt + 40, width: half, height: CHART_HEIGHT }),
    text(right, chartsAt, 'Time to create an order, at a fixed rate', 'title'),
    text(right, chartsAt + 20, 'share of the maximum; counted from when it was due', 'small muted'),
    latencyLines(results, { x: right, y: chartsAt + 40, width: half, height: CHART_HEIGHT }),
    '</svg>',
    `<!-- drawn from ${results.quick ? 'a quick run' : 'a full run'} of ${results.finishedAt}, ${dataset.users} users, ${dataset.products} products -->`,
    '',
  ].join('\n');
}

type Area = Parameters<typeof lineChart>[0];

function reportLines({ cases, dataset }: Results, area: Area): string {
  const valuesOf = (subject: string) =>
    dataset.orders.map(
      (orders) => subjectIn(cases, reportCase(ALL_TIME_BEST_SELLERS, orders), subject)?.median,
    );
  return lineChart(
    area,
    dataset.orders.map((orders) => [`${orders.toLocaleString('en-US')} orders`]),
    [
      { label: 'KEYS + HGETALL', color: 'usual', values: valuesOf(KEYS_HGETALL) },
      { label: 'GROUP BY', color: 'less', values: valuesOf(GROUP_BY) },
      { label: 'Tally', color: 'tally', values: valuesOf(TALLY) },
    ],
  );
}

function latencyLines({ cases }: Results, area: Area): string {
  const subjects = SHARES.map((share) => subjectIn(cases, openLoopCase(share), TALLY));
  return lineChart(
    area,
    SHARES.map((share, index) => {
      const offered = subjects[index]?.extra?.offeredPerSecond;
      return offered === undefined ? [`${share} %`] : [`${share} %`, `${format(offered)}/s`];
    }),
    (
      [
        ['p999', 'p99.9'],
        ['p99', 'p99'],
        ['p90', 'p90'],
        ['p50', 'p50'],
      ] as const
    ).map(([key, label]) => ({
      label,
      color: key,
      values: subjects.map((subject) => subject?.latency?.[key]),
    })),
  );
}
