import { IMPORT, LIVE_REPORTS, RAW_KEYS, RAW_STREAM, REBUILD, VERIFY } from './cases/bulk';
import { createCase, RAW_SQL, RAW_SQL_LOGGED } from './cases/create';
import { openLoopCase } from './cases/load';
import { USUAL } from './cases/market';
import { MEMORY } from './cases/memory';
import { ALL_TIME_BEST_SELLERS, ANY_DAYS, EDGE_DAYS, reportPlans, WHOLE_MONTHS } from './cases/report-plan';
import { GROUP_BY, KEYS_HGETALL, reportCase } from './cases/reports';
import { HELLO, TALLY_DISTINCT, THROUGHPUT } from './cases/throughput';
import { format } from './bench';
import { subjectIn, TALLY, type Case, type Goal } from './results';

/** The goals of 1 M orders are not judged on a smaller data set: their figures are shown all the same. */
const JUDGED_ORDERS = 1_000_000;

type Judged = { measured: string; reached?: boolean } | undefined;

/** What this run says of each goal. */
export function judge(cases: Case[], datasets: number[]): Goal[] {
  const smallest = Math.min(...datasets);
  const largest = Math.max(...datasets);
  const tally = (name: string) => subjectIn(cases, name, TALLY);
  const other = (name: string, subject: string) => subjectIn(cases, name, subject);
  const full = (judged: Judged): Judged =>
    judged === undefined || largest >= JUDGED_ORDERS
      ? judged
      : { measured: `${judged.measured} (at ${largest.toLocaleString('en-US')} orders)` };

  const atLeast = (own: number | undefined, base: number | undefined, times: number, unit = '×'): Judged => {
    if (own === undefined || base === undefined) return undefined;
    const ratio = own / base;
    const measured = unit === '%' ? `${format(ratio * 100)} %` : `${format(ratio)}×`;
    return { measured, reached: ratio >= times };
  };
  const atMost = (value: number | undefined, limit: number, unit: string): Judged =>
    value === undefined ? undefined : { measured: `${format(value)} ${unit}`, reached: value <= limit };
  const p99BelowP50 = (clients: number): Judged => {
    const own = tally(createCase(clients))?.latency?.p99;
    const base = other(createCase(clients), USUAL)?.latency?.p50;
    if (own === undefined || base === undefined) return undefined;
    return { measured: `${format(own)} ms against ${format(base)} ms`, reached: own < base };
  };
  const create = (clients: number, against: string, times: number, unit?: string): Judged =>
    atLeast(tally(createCase(clients))?.median, other(createCase(clients), against)?.median, times, unit);
  const bestSellers = reportCase(ALL_TIME_BEST_SELLERS, largest);
  const rebuild = tally(REBUILD);
  const rawSeconds = [RAW_STREAM, RAW_KEYS].flatMap((name) => other(REBUILD, name)?.median ?? []);

  const judged: [name: string, goal: string, Judged][] = [
    ['create, 256 clients, throughput of the usual design', 'at least 5× (dream 8×)', create(256, USUAL, 5)],
    ["create, 256 clients, p99 against the usual design's p50", 'below', p99BelowP50(256)],
    ['create, 64 clients, throughput of the usual design', 'at least 4×', create(64, USUAL, 4)],
    ["create, 64 clients, p99 against the usual design's p50", 'below', p99BelowP50(64)],
    ['create, 1 client, throughput of the usual design', 'no slower', create(1, USUAL, 1)],
    ['create over HTTP, 256 clients, of raw batched SQL', 'at least 60 %', create(256, RAW_SQL, 0.6, '%')],
    [
      'the same, of raw batched SQL that also writes the log',
      'at least 60 %',
      create(256, RAW_SQL_LOGGED, 0.6, '%'),
    ],
    [
      'best sellers of all time against GROUP BY',
      'at least 5,000×',
      full(atLeast(other(bestSellers, GROUP_BY)?.median, tally(bestSellers)?.median, 5000)),
    ],
    [
      'best sellers of all time against KEYS + HGETALL',
      'at least 50,000×',
      full(atLeast(other(bestSellers, KEYS_HGETALL)?.median, tally(bestSellers)?.median, 50_000)),
    ],
    [
      'any report of all time, p50, largest data set of the smallest',
      'at most 1.1×',
      full(growth(cases, smallest, largest)),
    ],
    [
      'best sellers of any 12 months, p50',
      'at most 25 ms',
      full(
        atMost(
          highest(
            [WHOLE_MONTHS, EDGE_DAYS, ANY_DAYS].map((name) => tally(reportCase(name, largest))?.median),
          ),
          25,
          'ms',
        ),
      ),
    ],
    ['Redis commands of reports longer than 5 ms', 'none', full(slowCommands(cases, largest))],
    [
      'one report at 32 clients, of hello world',
      'at least 65 % (dream 80 %)',
      atLeast(tally(THROUGHPUT)?.median, other(THROUGHPUT, HELLO)?.median, 0.65, '%'),
    ],
    [
      'the same with distinct parameters',
      'stated',
      stated(atLeast(other(THROUGHPUT, TALLY_DISTINCT)?.median, other(THROUGHPUT, HELLO)?.median, 0, '%')),
    ],
    [
      'projection lag, p99, at half of the maximum',
      'at most 20 ms',
      atMost(tally(openLoopCase(50))?.extra?.lagP99Ms, 20, 'ms'),
    ],
    [
      'rebuild (load and catch-up), of the slower of raw MySQL stream and raw Redis load',
      'at most 2×',
      full(atMost(divide(rebuild?.median, highest(rawSeconds)), 2, '×')),
    ],
    [
      'peak memory of the rebuilding process',
      'under 512 MB',
      full(atMost(rebuild?.extra?.peakMemoryMegabytes, 512, 'MB')),
    ],
    [
      'live reports during a rebuild, p99',
      'under 15 ms',
      full(atMost(tally(LIVE_REPORTS)?.median, 15, 'ms')),
    ],
    ['verify, of rebuild', 'no slower', full(atMost(divide(tally(VERIFY)?.median, rebuild?.median), 1, '×'))],
    ['import', 'stated', stated(full(atMost(tally(IMPORT)?.median, Infinity, 'orders/s')))],
    [
      'Redis memory per order, everything counted',
      'at most 600 bytes (dream 400)',
      full(atMost(tally(MEMORY)?.median, 600, 'bytes')),
    ],
  ];
  return judged.map(([name, goal, result]) => ({ name, goal, ...result }));
}

/** The most by which a report of all time is slower on the largest data set. */
function growth(cases: Case[], smallest: number, largest: number): Judged {
  const grown = reportPlans(smallest, 1)
    .filter(({ allTime }) => allTime)
    .flatMap(({ name }) => {
      const large = subjectIn(cases, reportCase(name, largest), TALLY)?.median;
      const small = subjectIn(cases, reportCase(name, smallest), TALLY)?.median;
      const times = divide(large, small);
      return times === undefined ? [] : [{ name, times }];
    })
    .toSorted((a, b) => b.times - a.times);
  const [worst] = grown;
  if (worst === undefined) return undefined;
  return { measured: `${format(worst.times)}× (${worst.name})`, reached: worst.times <= 1.1 };
}

function slowCommands(cases: Case[], orders: number): Judged {
  const extras = reportPlans(orders, 1).flatMap(({ name }) => {
    const extra = subjectIn(cases, reportCase(name, orders), TALLY)?.extra;
    return extra === undefined ? [] : [extra];
  });
  if (extras.length === 0) return undefined;
  const slow = extras.reduce((sum, extra) => sum + (extra.slowCommands ?? 0), 0);
  const longest = highest(extras.map((extra) => extra.slowestCommandMs)) ?? 0;
  return {
    measured: slow === 0 ? 'none' : `${slow}, the longest ${format(longest)} ms`,
    reached: slow === 0,
  };
}

function stated(judged: Judged): Judged {
  return judged && { measured: judged.measured };
}

function divide(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}

function highest(values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
