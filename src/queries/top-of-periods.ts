import { Problem } from '../errors';
import { rankedId, type Keys, type Period } from '../read-model/keys';
import type { Reader } from '../read-model/reader';
import type { Reading } from '../read-model/reading';
import { readAppliedTip, readTogether, type Absent, type ReadCommand } from '../read-model/scripts';
import type { SoldProduct } from './best-sellers';
import { ranked } from './figures';

interface Query {
  periods: Period[];
  measure: 'sold' | 'revenue';
  limit: number;
}

/** Members of rankings that one script may touch; some ten milliseconds of Redis at the very most. */
const MAX_ELEMENTS = 40_000;
const MIN_DEPTH = 16;
/** Shortlisted beyond the limit, so that a sale between two rounds seldom costs another round. */
const SHORTLIST_MARGIN = 16;
const MAX_ROUNDS = 12;
const PAGE = 1000;
const SCAN_ATTEMPTS = 8;

/**
 * The top of the sum of several rankings, exactly, without reading all of them: after the threshold algorithm of Fagin,
 * Lotem and Naor (Optimal aggregation algorithms for middleware, PODS 2001). From each ranking the first `depth` members
 * are read. Whoever is in none of these heads has at most the sum of their last scores, the threshold; whoever is in some
 * has at most the scores there and the last scores of the others. All scores are read only of those, the candidates, who
 * could be among the top by these bounds.
 *
 * Every round reads everything that it concludes from in one script with `applied`: the heads of the rankings, and all
 * scores of the candidates that the round before found. Sales between two rounds can cost a further round; they can never
 * mix two positions.
 */
export async function topOfPeriods(
  reader: Reader,
  keys: Keys,
  query: Query,
): Promise<Reading<SoldProduct[]>> {
  const { periods, measure, limit } = query;
  if (periods.length === 0) return scanPeriods(reader, keys, query);
  let candidates: string[] = [];
  let shortlist: string[] = [];
  let depth = Math.max(MIN_DEPTH, limit);
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const elements = periods.length * (depth + candidates.length + shortlist.length);
    if (elements > MAX_ELEMENTS) break;
    const reading = await readRound(reader, keys, { periods, measure, depth, candidates, shortlist });
    if (reading.applied === null) return reading;
    const { heads, totals, products } = reading.value;

    const threshold = heads.reduce((sum, { bound }) => sum + bound, 0n);
    const bounds = boundsOf(heads, threshold);
    const exact = new Set(candidates);
    // At least so much: exactly, of the candidates.
    const known = new Map(totals);
    for (const [member, { least }] of bounds) if (!exact.has(member)) known.set(member, least);
    const order = topMembers(known);
    const top = order.slice(0, limit);
    const last = top.length === limit ? (known.get(top.at(-1) ?? '') ?? 0n) : 0n;
    const complete = top.every((member) => exact.has(member) && products.has(member));
    shortlist = order.slice(0, limit + SHORTLIST_MARGIN);
    if (threshold > 0n && threshold >= last) {
      if (complete) depth *= 4; // somebody further down could still be among the top
      candidates = shortlist;
      continue;
    }
    const open = [...bounds].filter(([member, { most }]) => !exact.has(member) && most >= last);
    if (open.length === 0 && complete) {
      return { applied: reading.applied, value: top.flatMap((member) => products.get(member) ?? []) };
    }
    candidates = [...new Set([...shortlist, ...open.map(([member]) => member)])];
  }
  return scanPeriods(reader, keys, query);
}

/** Members by descending total, then ascending id. */
function topMembers(totals: Map<string, bigint>): string[] {
  return [...totals]
    .sort(([a, totalA], [b, totalB]) => (totalA === totalB ? (a < b ? -1 : 1) : totalA > totalB ? -1 : 1))
    .map(([member]) => member);
}

interface Round {
  /** The head of each ranking; `bound` is the most that a member further down can have there. */
  heads: { members: string[]; scores: bigint[]; bound: bigint }[];
  /** The candidates' totals. */
  totals: Map<string, bigint>;
  /** The shortlist, complete. */
  products: Map<string, SoldProduct>;
}

async function readRound(
  reader: Reader,
  keys: Keys,
  {
    periods,
    measure,
    depth,
    candidates,
    shortlist,
  }: Omit<Query, 'limit'> & { depth: number; candidates: string[]; shortlist: string[] },
): Promise<Reading<Round>> {
  const other = measure === 'sold' ? 'revenue' : 'sold';
  const commands: ReadCommand[] = [];
  for (const period of periods) {
    const ranking = keys.productRanking(measure, period);
    commands.push(['ZRANGE', ranking, '0', String(depth - 1), 'WITHSCORES']);
    if (candidates.length > 0) commands.push(['ZMSCORE', ranking, ...candidates]);
    if (shortlist.length > 0) commands.push(['ZMSCORE', keys.productRanking(other, period), ...shortlist]);
  }
  for (const member of shortlist) commands.push(['HMGET', keys.product(rankedId(member)), 'name', 'sku']);
  const reading = await readTogether(reader.redis, keys, commands);
  if (reading.applied === null) return reading;
  const replies = reading.value;
  const heads: Round['heads'] = [];
  const totals = new Map<string, bigint>(candidates.map((member) => [member, 0n]));
  const others = new Map<string, bigint>();
  let next = 0;
  for (let index = 0; index < periods.length; index++) {
    heads.push(headOf(replies[next++] as string[], depth));
    if (candidates.length > 0) addScores(totals, candidates, replies[next++] as (string | Absent)[]);
    if (shortlist.length > 0) addScores(others, shortlist, replies[next++] as (string | Absent)[]);
  }
  const products = new Map<string, SoldProduct>();
  for (const member of shortlist) {
    const [name, sku] = replies[next++] as (string | Absent)[];
    products.set(
      member,
      soldProduct(member, measure, totals.get(member) ?? 0n, others.get(member) ?? 0n, [name, sku]),
    );
  }
  // A member that has come to nothing since it was found is no candidate any more.
  for (const [member, total] of totals) if (total === 0n) totals.delete(member);
  return { applied: reading.applied, value: { heads, totals, products } };
}

function headOf(flat: string[], depth: number): Round['heads'][number] {
  const members: string[] = [];
  const scores: bigint[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    members.push(flat[at] ?? '');
    scores.push(ranked(flat[at + 1]));
  }
  return { members, scores, bound: members.length < depth ? 0n : (scores.at(-1) ?? 0n) };
}

/** What the heads alone say of the members in them: the least and the most that each can have in all. */
function boundsOf(heads: Round['heads'], threshold: bigint): Map<string, { least: bigint; most: bigint }> {
  const bounds = new Map<string, { least: bigint; most: bigint }>();
  for (const { members, scores, bound } of heads) {
    for (const [index, member] of members.entries()) {
      const score = scores[index] ?? 0n;
      const { least, most } = bounds.get(member) ?? { least: 0n, most: threshold };
      bounds.set(member, { least: least + score, most: most + score - bound });
    }
  }
  return bounds;
}

function addScores(totals: Map<string, bigint>, members: string[], scores: (string | Absent)[]): void {
  for (const [index, member] of members.entries()) {
    totals.set(member, (totals.get(member) ?? 0n) + ranked(scores[index]));
  }
}

function soldProduct(
  member: string,
  measure: Query['measure'],
  total: bigint,
  other: bigint,
  [name, sku]: (string | Absent | undefined)[],
): SoldProduct {
  const [units, revenue] = measure === 'sold' ? [total, other] : [other, total];
  return { productId: rankedId(member), name: name || '', sku: sku || '', units, revenue };
}

/**
 * The same by reading everything, page by page so that Redis is never held for long: for rankings so even that the
 * threshold would not be reached sooner. The pages must all be of one position.
 * @throws Problem `read-model-contended` where the model moved on during every attempt.
 */
async function scanPeriods(reader: Reader, keys: Keys, query: Query): Promise<Reading<SoldProduct[]>> {
  for (let attempt = 1; attempt <= SCAN_ATTEMPTS; attempt++) {
    const reading = await tryScan(reader, keys, query);
    if (reading !== undefined) return reading;
  }
  throw new Problem(
    'read-model-contended',
    'Orders arrived faster than this range could be read at one position.',
    {
      retryAfterSeconds: 1,
    },
  );
}

async function tryScan(
  reader: Reader,
  keys: Keys,
  query: Query,
): Promise<Reading<SoldProduct[]> | undefined> {
  const { periods, measure, limit } = query;
  const applied = await readAppliedTip(reader.redis, keys);
  if (applied === null) return { applied };
  const totals = new Map<string, bigint>();
  for (const period of periods) {
    for (let from = 0; ; from += PAGE) {
      const ranking = keys.productRanking(measure, period);
      const page = await readTogether(reader.redis, keys, [
        ['ZRANGE', ranking, String(from), String(from + PAGE - 1), 'WITHSCORES'],
      ]);
      if (page.applied !== applied) return undefined;
      const flat = page.value[0] as string[];
      for (let at = 0; at < flat.length; at += 2)
        addScores(totals, [flat[at] ?? ''], [flat[at + 1] ?? false]);
      if (flat.length < 2 * PAGE) break;
    }
  }
  const top = topMembers(totals).slice(0, limit);
  const final = await readRound(reader, keys, {
    periods,
    measure,
    depth: 1,
    candidates: top,
    shortlist: top,
  });
  if (final.applied !== applied) return undefined;
  return { applied, value: top.flatMap((member) => final.value.products.get(member) ?? []) };
}
