import type { Family } from './cases/memory';
import type { Latency } from './load/protocol';
import type { Machine } from './machine';
import type { ServerFacts } from './servers';
import { median } from './statistics';

/** What one subject did in one round. */
export interface Sample {
  value: number;
  latency?: Latency;
  /** Further figures, by a name that ends with their unit. */
  extra?: Record<string, number>;
}

export interface Subject {
  name: string;
  samples: number[];
  median: number;
  min: number;
  max: number;
  /** Milliseconds; each percentile is the median of the rounds. */
  latency?: Latency;
  /** Medians of the rounds. */
  extra?: Record<string, number>;
}

/** One thing that was measured, for Tally and whatever it is compared with. */
export interface Case {
  /** The name by which `--cases` chooses it. */
  group: string;
  /** `create, 256 clients` */
  name: string;
  unit: string;
  better: 'more' | 'less';
  subjects: Subject[];
  /** How many times better Tally is than each other subject. */
  ratios: { against: string; times: number }[];
}

export interface Goal {
  name: string;
  goal: string;
  /** undefined where this run did not measure it. */
  measured?: string;
  reached?: boolean;
}

export interface Results {
  version: 1;
  finishedAt: string;
  quick: boolean;
  seed: number;
  rounds: number;
  machine: Machine;
  settings: ServerFacts & { tally: string };
  dataset: { users: number; products: number; orders: number[]; loadSeconds: number };
  cases: Case[];
  /** What the read model of the largest data set is made of. */
  families: Family[];
  goals: Goal[];
}

/** The name of the subject that the others are baselines of. */
export const TALLY = 'Tally';

export interface About extends Pick<Case, 'group' | 'name' | 'unit' | 'better'> {
  /** false where each subject had a task of its own: then there are no ratios. */
  comparable?: boolean;
}

export function caseOf(
  { group, name, unit, better, comparable = true }: About,
  samples: Map<string, Sample[]>,
): Case {
  const subjects = [...samples].map(([subject, taken]) => subjectOf(subject, taken));
  const tally = subjects.find((subject) => subject.name === TALLY);
  const ratios =
    tally === undefined || !comparable
      ? []
      : subjects
          .filter((subject) => subject !== tally)
          .map((subject) => ({
            against: subject.name,
            times: better === 'more' ? tally.median / subject.median : subject.median / tally.median,
          }));
  return { group, name, unit, better, subjects, ratios };
}

function subjectOf(name: string, taken: Sample[]): Subject {
  const samples = taken.map(({ value }) => value);
  const latencies = taken.flatMap(({ latency }) => (latency === undefined ? [] : [latency]));
  const extras = taken.flatMap(({ extra }) => (extra === undefined ? [] : [extra]));
  return {
    name,
    samples,
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    ...(latencies.length === 0 ? {} : { latency: mediansOf(latencies) }),
    ...(extras.length === 0 ? {} : { extra: mediansOf(extras) }),
  };
}

function mediansOf<T extends { [K in keyof T]: number }>(records: T[]): T {
  const [first] = records;
  if (first === undefined) throw new Error('no records');
  const names = Object.keys(first) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, median(records.map((record) => record[name]))])) as T;
}

export function findCase(cases: Case[], name: string): Case | undefined {
  return cases.find((one) => one.name === name);
}

export function subjectIn(cases: Case[], name: string, subject: string): Subject | undefined {
  return findCase(cases, name)?.subjects.find((one) => one.name === subject);
}
