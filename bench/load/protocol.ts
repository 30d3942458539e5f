/** What the bench asks its load generator, a process of its own, and what that answers. Plain data: it travels by IPC. */

export interface PlannedRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  /** JSON, rendered beforehand. */
  body?: string;
  /** Any other status is a failure of the run. */
  status: number;
}

export type Pace =
  /** Each connection sends its next request when the one before is answered. */
  | { kind: 'closed'; connections: number }
  /**
   * Requests begin at a fixed rate whatever the answers do. Latency counts from the moment when a request was to begin, so
   * that a stall is felt by all requests that it delayed (coordinated omission corrected).
   */
  | { kind: 'open'; perSecond: number; maxConnections: number };

export interface Job {
  origin: string;
  pace: Pace;
  /** In this order; from the start again when they are used up, unless `once`. */
  requests: PlannedRequest[];
  /** Each request is sent once: the job ends when they are used up. */
  once: boolean;
  /** Not recorded, before the rest. */
  warmUpMs: number;
  durationMs: number;
}

/** In milliseconds. */
export interface Latency {
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

export interface JobResult {
  requests: number;
  /** With those of the warm-up. */
  allRequests: number;
  seconds: number;
  perSecond: number;
  latency: Latency;
  /** How much of one core the load generator itself took: it shares the cores with what it measures. */
  cpuShare: number;
}

/** What the parent says: a job, or that the one that is running is to end now. */
export type Order = { kind: 'job'; job: Job } | { kind: 'stop' };

export type Reply = { ok: true; result: JobResult } | { ok: false; reason: string };
