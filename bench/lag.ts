/** Time from a commit to its appearance in the reports, as the service's own histogram states it. */
const BUCKET = /^tally_projection_lag_seconds_bucket\{.*?le="([^"]+)".*?\} (\d+)$/gm;
const MS = 1000;

/** Events up to each bound of the histogram, in seconds; they add up. */
export type LagHistogram = Map<number, number>;

/** undefined where the service has no such histogram. */
export async function scrapeLag(origin: string): Promise<LagHistogram | undefined> {
  const answer = await fetch(`${origin}/metrics`, { signal: AbortSignal.timeout(5000) });
  const text = await answer.text();
  const histogram: LagHistogram = new Map();
  for (const [, bound, count] of text.matchAll(BUCKET)) {
    const seconds = bound === '+Inf' ? Infinity : Number(bound);
    histogram.set(seconds, (histogram.get(seconds) ?? 0) + Number(count)); // over all other labels
  }
  return histogram.size === 0 ? undefined : histogram;
}

/** Percentiles of what was applied between two scrapes: the upper bound of the bucket that holds them. */
export function lagBetween(
  before: LagHistogram | undefined,
  after: LagHistogram | undefined,
): Record<string, number> {
  if (after === undefined) return {};
  const counts = [...after]
    .map(([bound, count]) => ({ bound, count: count - (before?.get(bound) ?? 0) }))
    .toSorted((a, b) => a.bound - b.bound);
  const total = counts.at(-1)?.count ?? 0;
  const percentile = (share: number) =>
    (counts.find(({ count }) => count >= share * total)?.bound ?? Infinity) * MS;
  return total === 0 ? {} : { lagP50Ms: percentile(0.5), lagP99Ms: percentile(0.99) };
}
