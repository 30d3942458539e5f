import { build } from 'hdr-histogram-js';
import type { JobResult } from './protocol';

/** Ten minutes in microseconds. */
const HIGHEST_US = 600_000_000;

/** Latencies and the count of what was answered after the warm-up. */
export class Recorder {
  private readonly histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: 3,
  });
  private readonly cpuBefore = process.cpuUsage();
  private readonly createdAt = performance.now();
  private lastAnswerAt: number;
  private all = 0;

  constructor(
    /** `performance.now()` at which the recorded part begins. */
    private readonly from: number,
  ) {
    this.lastAnswerAt = from;
  }

  answered(startedAt: number): void {
    this.all += 1;
    if (startedAt < this.from) return;
    this.lastAnswerAt = performance.now();
    this.histogram.recordValue(Math.round((this.lastAnswerAt - startedAt) * 1000));
  }

  /** How many were answered after the warm-up. */
  get requests(): number {
    return this.histogram.totalCount;
  }

  /** @throws Error where there is nothing to tell. */
  result(): JobResult {
    const { histogram, cpuBefore, createdAt, requests } = this;
    if (requests === 0) throw new Error('no request was answered after the warm-up');
    const seconds = (this.lastAnswerAt - this.from) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const ms = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
    return {
      requests,
      allRequests: this.all,
      seconds,
      perSecond: requests / seconds,
      latency: { p50: ms(50), p90: ms(90), p99: ms(99), p999: ms(99.9), max: histogram.maxValue / 1000 },
      cpuShare: (user + system) / 1000 / (performance.now() - createdAt),
    };
  }
}
