import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endingWithParent } from '../dev/command';

/** Lines of a service's log that are kept for the report of a failure. */
const KEPT_LINES = 40;
const STOP_WITHIN_MS = 15_000;

/** What a service's log says of the state of the read model, or of itself. */
interface LogLine {
  level: number;
  msg: string;
  finding?: { key: string; expected: string; found: string };
}

/** Told by its service. */
export interface ServiceListener {
  /** It logged something. */
  logged(service: number, line: LogLine, text: string): void;
  /** It ended and nobody had asked it to, or it did not when it was asked. */
  died(service: number, how: string, lastLines: string[]): void;
}

/** One process of the service under test, which can be killed, stopped and told a wrong time. */
export class Service {
  private child: ChildProcess | undefined;
  private lines: string[] = [];
  /** Counts what was done to it, so that a request can tell whether its service was disturbed meanwhile. */
  disturbances = 0;

  constructor(
    readonly index: number,
    readonly url: string,
    private readonly build: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly listener: ServiceListener,
  ) {}

  start(): void {
    this.disturbances += 1;
    this.lines = [];
    const [command, ...args] = endingWithParent([
      process.execPath,
      '--require',
      join(__dirname, 'clock.cjs'),
      join(this.build, 'src', 'main.js'),
      'serve',
    ]);
    const child = spawn(command, args, { env: this.env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) throw new Error('a service without its streams');
      createInterface({ input: stream }).on('line', (line) => this.heard(line));
    }
    child.on('error', () => undefined); // a message to one that has just been killed
    child.once('exit', (code, signal) => {
      if (this.child !== child) return; // it was asked to
      this.child = undefined;
      this.listener.died(this.index, signal ?? `code ${code}`, this.lines);
    });
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** As an operator or an orchestrator does: SIGTERM, and SIGKILL when it does not listen. @returns its exit code. */
  async terminate(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  pause(): void {
    this.disturbances += 1;
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.disturbances += 1;
    this.child?.kill('SIGCONT');
  }

  /** Shifts what it sees as time. @returns false where it is down. */
  setClock(clockOffsetMs: number): boolean {
    if (this.child?.connected !== true) return false;
    this.child.send({ clockOffsetMs });
    return true;
  }

  private async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.child;
    if (child === undefined) return null;
    this.child = undefined;
    this.disturbances += 1;
    const exited = once(child, 'exit');
    child.kill(signal);
    const insist = setTimeout(() => {
      this.listener.died(this.index, `not within ${STOP_WITHIN_MS} ms after SIGTERM`, this.lines);
      child.kill('SIGKILL');
    }, STOP_WITHIN_MS);
    const [code] = (await exited) as [number | null];
    clearTimeout(insist);
    return code;
  }

  private heard(text: string): void {
    this.lines = [...this.lines.slice(1 - KEPT_LINES), text];
    try {
      const line = JSON.parse(text) as LogLine;
      this.listener.logged(this.index, line, text);
    } catch {
      // Not a line of the log: a stack trace on the way out, kept for the report.
    }
  }
}

/** Runs a command of the built service's command line. Never rejects; `kill` ends it at once. */
export function runTally(
  build: string,
  env: NodeJS.ProcessEnv,
  args: string[],
  limitMs: number,
): { done: Promise<{ code: number | null; output: string }>; kill(): void } {
  const child = spawn(process.execPath, [join(build, 'src', 'main.js'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const done = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
  return { done, kill: () => void child.kill('SIGKILL') };
}
