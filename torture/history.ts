import { appendFileSync } from 'node:fs';
import type { LogEvent } from './truth';

/** What a client asked for, and what it was told. */
export interface Operation {
  id: number;
  client: number;
  service: number;
  method: string;
  path: string;
  /** The body that was sent. */
  sent?: unknown;
  key?: string;
  /** As it was sent: the whole position, or the number alone. */
  minPosition?: string;
  /** Milliseconds since the beginning of the run. */
  invokedAt: number;
  endedAt: number;
  /** ok: done. refused: certainly not done. unknown: done or not. */
  outcome: 'ok' | 'refused' | 'unknown';
  /** 0: there was no answer. */
  status: number;
  /** Its service was killed, stopped or started meanwhile. */
  disturbed?: boolean;
  /** What the problem document says, or how the connection ended. */
  reason?: string;
  /** The log position that the answer states, and the id of the event there. */
  position?: number;
  eventId?: string;
  body?: unknown;
}

/** What was done to the system. */
export interface FaultRecord {
  fault: string;
  detail: string;
  startedAt: number;
  endedAt: number;
  /** It had nothing to hit, or met another fault half-way: it may have hindered, but does not count. */
  missed?: boolean;
}

const MAX_LINE = 400;

/** A time in which keys were damaged on purpose; without keys, all may be wrong. */
export interface DamageWindow {
  from: number;
  to: number;
  keys?: string[];
}

/** A log that a restored backup took the place of. */
export interface LostLog {
  events: LogEvent[];
  /** From when on nothing is added to it any more. */
  endedAt: number;
}

interface Finding {
  key: string;
  expected: string;
  found: string;
}

/** A verification may tell of damage that was being repaired while it looked. */
const FINDING_LATE_MS = 8000;

/** Everything that happened in a run. */
export class History {
  readonly operations: Operation[] = [];
  readonly faults: FaultRecord[] = [];
  /** Times in which keys were damaged on purpose: no report is promised to be right until a repair has gone over them. */
  readonly damage: DamageWindow[] = [];
  /** The logs before each restored backup, oldest first. */
  readonly lostLogs: LostLog[] = [];
  /** What is wrong, as it was noticed during the run. */
  readonly violations: string[] = [];
  /** What else is worth knowing: faults that could not be injected. */
  readonly notes: string[] = [];
  /** What the services logged as a warning or worse. */
  readonly logs: { at: number; line: string }[] = [];
  private readonly startedAt = performance.now();
  private nextId = 1;

  /** Milliseconds since the beginning of the run. */
  now(): number {
    return Math.round((performance.now() - this.startedAt) * 10) / 10;
  }

  newId(): number {
    return this.nextId++;
  }

  violated(what: string): void {
    this.violations.push(`at ${(this.now() / 1000).toFixed(1)} s: ${what}`);
  }

  /** What was damaged, and not known to be repaired, at some time in between. */
  damagedIn(from: number, to: number): DamageWindow[] {
    return this.damage.filter((window) => window.from <= to && window.to >= from);
  }

  /** A verification of Tally's own found a key wrong: it must be one that was damaged. */
  found(who: string, finding: Finding): void {
    const now = this.now();
    const damaged = this.damagedIn(now - FINDING_LATE_MS, now);
    if (!damaged.some(({ keys }) => keys === undefined || keys.includes(finding.key))) {
      this.violated(`${who} found drift that nobody caused: ${JSON.stringify(finding)}`);
    }
  }

  /** What happened in a span of time, in order, one line each. */
  around(from: number, to: number): string[] {
    const lines: [number, string][] = [];
    for (const { fault, detail, startedAt, endedAt } of this.faults) {
      if (startedAt <= to && endedAt >= from)
        lines.push([startedAt, `fault ${fault} ${detail} until ${endedAt}`]);
    }
    for (const { at, line } of this.logs) if (at >= from && at <= to) lines.push([at, line]);
    for (const operation of this.operations) {
      if (operation.invokedAt > to || operation.endedAt < from) continue;
      lines.push([operation.invokedAt, JSON.stringify({ ...operation, body: shortened(operation.body) })]);
    }
    return lines.toSorted(([a], [b]) => a - b).map(([at, line]) => `${at} ${line.slice(0, MAX_LINE)}`);
  }

  /** Writes everything to a file, one JSON document a line. */
  save(file: string): void {
    for (const fault of this.faults) appendFileSync(file, `${JSON.stringify(fault)}\n`);
    for (const note of this.notes) appendFileSync(file, `${JSON.stringify({ note })}\n`);
    for (const log of this.logs) appendFileSync(file, `${JSON.stringify(log)}\n`);
    for (const operation of this.operations) appendFileSync(file, `${JSON.stringify(operation)}\n`);
  }
}

function shortened(body: unknown): unknown {
  const text = JSON.stringify(body);
  return text !== undefined && text.length > 150 ? `${text.slice(0, 150)}…` : body;
}
