import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../torture/proxy';
import type { Build } from './build';
import type { Cleanup } from './cleanup';
import { Program } from './program';

const READY_WITHIN_MS = 1_200_000; // a read model of a million orders is built at the first start
const IMPORT_WITHIN_MS = 1_200_000;
const ASK_EVERY_MS = 20;

/** A running program that answers over HTTP. */
export interface Service {
  name: string;
  origin: string;
  program: Program;
  /** From the start of its process. */
  readyAfterMs: number;
  stop(): Promise<void>;
}

/** Where a service keeps its data. */
export interface Stores {
  databaseUrl: string;
  redisPath: string;
  prefix: string;
}

/** Tally's settings are its defaults, but for the level of its log. */
function tallyEnvironment({ databaseUrl, redisPath, prefix }: Stores): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisPath,
    REDIS_PREFIX: prefix,
    LOG_LEVEL: 'warn',
  };
}

export class Services {
  constructor(
    readonly build: Build,
    private readonly cleanup: Cleanup,
  ) {}

  /** `tally serve`, as soon as it is ready. */
  async tally(stores: Stores): Promise<Service> {
    return this.start('Tally', this.build.tally, ['serve'], tallyEnvironment(stores), '/health/ready');
  }

  /** A baseline that serves HTTP; it is ready when it answers anything at all. */
  async baseline(file: string, env: Record<string, string>): Promise<Service> {
    return this.start(file, this.build.program(`baselines/${file}`), [], env, '/');
  }

  /** A command of Tally that ends by itself. */
  command(stores: Stores, args: string[]): Program {
    const program = new Program(`tally ${args[0]}`, this.build.tally, args, tallyEnvironment(stores));
    this.cleanup.add(() => program.stop());
    return program;
  }

  /** `tally import`. @returns seconds until everything is in MySQL. */
  async import(stores: Stores, directory: string): Promise<number> {
    const program = this.command(stores, ['import', '--dir', directory]);
    const imported = await program.printed(/^Imported /, IMPORT_WITHIN_MS);
    await program.stop(); // it would wait for reports to show it, which nobody serves yet
    return (imported.atMs - program.startedAt) / 1000;
  }

  /** A baseline that ends by itself. */
  baselineCommand(file: string, args: string[], env: Record<string, string>): Program {
    const program = new Program(file, this.build.program(`baselines/${file}`), args, env);
    this.cleanup.add(() => program.stop());
    return program;
  }

  private async start(
    name: string,
    file: string,
    args: string[],
    env: Record<string, string>,
    readyPath: string,
  ): Promise<Service> {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const program = new Program(name, file, args, { ...env, PORT: String(port) });
    const stop = this.cleanup.add(() => program.stop());
    await waitUntil(
      `${name} to be ready`,
      async () => {
        if (program.failure !== undefined) throw program.failure;
        const status = await statusOf(`${origin}${readyPath}`);
        // Perhaps another program took the port, and answers in its place.
        if (program.failure !== undefined) throw program.failure;
        return readyPath === '/' ? status !== undefined : status === 200;
      },
      READY_WITHIN_MS,
    );
    return { name, origin, program, readyAfterMs: performance.now() - program.startedAt, stop };
  }
}

/** undefined where nobody answers. */
async function statusOf(url: string): Promise<number | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return undefined; // not yet
  }
}

/** @throws Error where the condition does not hold in time, and what the condition throws. */
export async function waitUntil(
  what: string,
  condition: () => Promise<boolean>,
  withinMs: number,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs / 1000} s in vain for ${what}`);
    await delay(ASK_EVERY_MS);
  }
}
