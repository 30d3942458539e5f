import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createInterface } from 'node:readline';
import { endingWithParent, tail } from '../dev/command';

const STOP_WITHIN_MS = 15_000;
const KEPT_LINES = 10_000;
/** Linux counts CPU time in these, whatever the kernel's own timer does. */
const TICKS_PER_SECOND = 100;
const LOOK_FOR_LINES_EVERY_MS = 20;
const LOOK_AT_MEMORY_EVERY_MS = 50;

/** A line that a program printed, and when. */
export interface Line {
  atMs: number;
  text: string;
}

/** A process of the bench: a service under test, a baseline, or a command that ends by itself. */
export class Program {
  readonly startedAt = performance.now();
  readonly lines: Line[] = [];
  private readonly child: ChildProcess;
  private readonly closed: Promise<void>;
  private ending: string | undefined;
  private stopping = false;
  private peakBytes = 0;

  constructor(
    readonly name: string,
    file: string,
    args: string[],
    env: Record<string, string>,
  ) {
    const { DATABASE_URL: _, REDIS_URL: __, PORT: ___, ...inherited } = process.env;
    const [command, ...rest] = endingWithParent([process.execPath, file, ...args]);
    // In a session of its own: Ctrl-C reaches the bench alone, which stops everything in its order.
    this.child = spawn(command, rest, {
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) throw new Error('a program without its streams');
      createInterface({ input: stream }).on('line', (text) => this.heard(text));
    }
    const memory = setInterval(() => this.lookAtMemory(), LOOK_AT_MEMORY_EVERY_MS);
    this.closed = this.watch(memory);
  }

  /** How it ended, where nobody asked it to; with the end of what it printed. */
  get failure(): Error | undefined {
    if (this.ending === undefined || this.stopping) return undefined;
    return new Error(this.describe());
  }

  /** Whether it runs, and the end of what it printed. */
  describe(): string {
    const printed = this.lines.map(({ text }) => text).join('\n');
    return `${this.name} ${this.ending ?? 'is running'}; it printed last:\n${tail(printed)}`;
  }

  /** The most memory that it has had so far (VmHWM). */
  get peakMemoryBytes(): number {
    this.lookAtMemory();
    return this.peakBytes;
  }

  /** CPU time so far, of all its threads; undefined where there is no /proc. */
  get cpuSeconds(): number | undefined {
    try {
      // The name in parentheses may hold spaces; after it come the state and ten more fields before user and system time.
      const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    } catch {
      return undefined;
    }
  }

  /** Waits for its end. @returns seconds it took. @throws Error where it fails or takes too long. */
  async succeed(withinMs: number): Promise<number> {
    const late = new AbortController();
    const timer = delay(withinMs, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([this.closed, timer]);
    late.abort();
    if (this.ending === undefined) {
      await this.stop();
      throw new Error(`${this.name} did not end within ${withinMs / 1000} s`);
    }
    if (this.ending !== 'exited with code 0') throw this.failure ?? new Error(`${this.name} was stopped`);
    return (performance.now() - this.startedAt) / 1000;
  }

  /** Waits until it prints a line. @throws Error where it ends before, or takes too long. */
  async printed(pattern: RegExp, withinMs: number): Promise<Line> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const line = this.lines.find(({ text }) => pattern.test(text));
      if (line !== undefined) return line;
      if (this.ending !== undefined) throw this.failure ?? new Error(`${this.name} was stopped`);
      if (performance.now() > deadline) throw new Error(`${this.name} took more than ${withinMs / 1000} s`);
      await delay(LOOK_FOR_LINES_EVERY_MS);
    }
  }

  /** When it printed its first such line. @throws Error where it did not. */
  printedAt(pattern: RegExp): number {
    const line = this.lines.find(({ text }) => pattern.test(text));
    if (line === undefined) throw new Error(`${this.name} printed no line like ${pattern.source}`);
    return line.atMs;
  }

  async stop(): Promise<void> {
    if (this.ending !== undefined) return;
    this.stopping = true;
    this.child.kill('SIGTERM');
    const insist = setTimeout(() => this.child.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.closed;
    clearTimeout(insist);
  }

  private async watch(memory: NodeJS.Timeout): Promise<void> {
    try {
      const [code, signal] = (await once(this.child, 'close')) as [number | null, string | null];
      this.ending = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    } catch (error) {
      this.ending = `could not be started: ${String(error)}`;
    }
    clearInterval(memory);
  }

  private heard(text: string): void {
    this.lines.push({ atMs: performance.now(), text });
    if (this.lines.length > KEPT_LINES) this.lines.splice(0, KEPT_LINES / 2);
  }

  private lookAtMemory(): void {
    if (this.ending !== undefined) return;
    try {
      const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
      const kilobytes = /VmHWM:\s*(\d+) kB/.exec(status)?.[1];
      this.peakBytes = Math.max(this.peakBytes, Number(kilobytes ?? 0) * 1024);
    } catch {
      // It has just ended, or there is no /proc: then the memory is not known.
    }
  }
}
