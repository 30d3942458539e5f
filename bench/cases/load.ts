import type { Bench } from '../bench';
import { lagBetween, scrapeLag } from '../lag';
import type { Sample } from '../results';
import type { Market, Stand } from './market';

export const SHARES = [25, 50, 75, 90] as const;
/** The load at which the maximum is reached. */
const CLIENTS = 256;
/** Below Tally's MYSQL_QUEUE_LIMIT, beyond which it answers 503; requests that find none wait, and their time counts. */
const MAX_CONNECTIONS = 900;

export function openLoopCase(share: number): string {
  return `create, open loop at ${share} % of the maximum`;
}

/**
 * Orders at a fixed rate, at shares of each service's own maximum, which is measured just before. Latency counts from when
 * a request was to begin.
 */
export async function load(bench: Bench, market: Market): Promise<void> {
  const maxima = new Map<Stand, number>();
  for (const stand of [market.tally, market.usual]) {
    const { value } = await bench.load(stand.service, CLIENTS, market.creations);
    maxima.set(stand, value);
  }
  for (const share of SHARES) {
    await bench.compare(
      { name: openLoopCase(share), unit: 'ms (p99)', better: 'less', comparable: false },
      [...maxima].map(([stand, maximum]) => ({
        name: stand.name,
        measure: () => measure(bench, market, stand, (maximum * share) / 100),
      })),
    );
  }
}

async function measure(bench: Bench, market: Market, stand: Stand, perSecond: number): Promise<Sample> {
  const before = await scrapeLag(stand.service.origin);
  const result = await bench.send(stand.service, {
    pace: { kind: 'open', perSecond, maxConnections: MAX_CONNECTIONS },
    requests: market.creations,
    once: false,
    warmUpMs: bench.sizes.warmUpMs,
    durationMs: bench.sizes.loadMs,
  });
  const lag = lagBetween(before, await scrapeLag(stand.service.origin));
  return {
    value: result.latency.p99,
    latency: result.latency,
    extra: { offeredPerSecond: perSecond, answeredPerSecond: result.perSecond, ...lag },
  };
}
