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

const STYLE = `
  svg { font-family: system-ui, -apple-system, 'Segoe UI', sans-serif; }
  .page { fill: #ffffff } text { fill: #1f2937 } .small { font-size: 12px; fill: #4b5563 }
  .number { font-variant-numeric: tabular-nums } .strong { font-size: 13px; font-weight: 600 }
  .title { font-size: 17px; font-weight: 650 } .name { font-weight: 600 }
  .grid { stroke: #e5e7eb; stroke-width: 1 } .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  .tally { fill: #0072b2 } .usual { fill: #d55e00 } .less { fill: #e69f00 } .raw { fill: #9ca3af }
  .p50 { fill: #56b4e9 } .p90 { fill: #009e73 } .p99 { fill: #0072b2 } .p999 { fill: #cc79a7 }
  .line.tally, .line.p99 { stroke: #0072b2 } .line.usual { stroke: #d55e00 } .line.less { stroke: #e69f00 }
  .line.p50 { stroke: #56b4e9 } .line.p90 { stroke: #009e73 } .line.p999 { stroke: #cc79a7 }
  .line { fill: none }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .small { fill: #9da7b3 } .grid { stroke: #2a313c }
    .tally, .p99 { fill: #4aa8e0 } .line.tally, .line.p99 { stroke: #4aa8e0 } .raw { fill: #6b7280 }
    .line { fill: none }
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
      'small',
      'end',
    ),
    creationBars(results, { x: MARGIN, y: MARGIN + 30, width, height: CREATION_HEIGHT }),
    text(MARGIN, chartsAt, 'Best sellers of all time, as orders grow', 'title'),
    text(MARGIN, chartsAt + 20, 'median answer, logarithmic', 'small'),
    reportLines(results, { x: MARGIN, y: chartsAt + 40, width: half, height: CHART_HEIGHT }),
    text(right, chartsAt, 'Time to create an order, at a fixed rate', 'title'),
    text(right, chartsAt + 20, 'share of the maximum; counted from when it was due', 'small'),
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
    dataset.orders.map((orders) => `${orders.toLocaleString('en-US')} orders`),
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
      return offered === undefined ? `${share} %` : `${share} %, ${format(offered)}/s`;
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
