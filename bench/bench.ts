import type { Redis } from 'ioredis';
import { Random } from '../torture/random';
import type { Cleanup } from './cleanup';
import type { Family } from './cases/memory';
import type { Generator } from './load/generator';
import type { Job, JobResult, PlannedRequest } from './load/protocol';
import { caseOf, type About, type Case, type Sample } from './results';
import type { Servers } from './servers';
import type { Service, Services } from './services';
import type { Sizes } from './sizes';
import { Shop } from './data/shop';

/** Something whose speed is compared with that of others. */
export interface Contender {
  name: string;
  /** One sample. */
  measure(): Promise<Sample>;
}

/** What every case needs, and where it leaves its results. */
export class Bench {
  readonly cases: Case[] = [];
  /** What the read model is made of. */
  readonly families: Family[] = [];
  /** Whose results are recorded now. */
  group = '';
  private scratch: Redis | undefined;
  private scratchPath = '';

  constructor(
    readonly sizes: Sizes,
    readonly seed: number,
    readonly rounds: number,
    readonly servers: Servers,
    readonly services: Services,
    readonly generator: Generator,
    readonly cleanup: Cleanup,
    /** A directory that is thrown away. */
    readonly workDir: string,
  ) {}

  /** Everybody's users and products; `purpose` separates the draws of different users of it. */
  shop(purpose: number): Shop {
    const { users, products } = this.sizes;
    return new Shop(users, products, new Random(this.seed), new Random(this.seed * 1000 + purpose));
  }

  /**
   * Measures all contenders in turn, round by round, so that what the machine does besides hits all of them alike; every
   * other round in the opposite order.
   */
  async compare(about: Omit<About, 'group'>, contenders: Contender[]): Promise<Case> {
    const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
    for (let round = 0; round < this.rounds; round++) {
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        try {
          samples.get(contender.name)?.push(await contender.measure());
        } catch (error) {
          throw new Error(`${about.name}, ${contender.name}, round ${round + 1} failed`, { cause: error });
        }
      }
    }
    return this.record(caseOf({ ...about, group: this.group }, samples));
  }

  /** As `compare`, for what there is only one sample of. */
  async compareOnce(about: Omit<About, 'group'>, contenders: Contender[]): Promise<Case> {
    const samples = new Map<string, Sample[]>();
    for (const contender of contenders) samples.set(contender.name, [await contender.measure()]);
    return this.record(caseOf({ ...about, group: this.group }, samples));
  }

  /** A Redis to be filled, empty. @returns the path of its socket. */
  async emptyRedis(): Promise<string> {
    if (this.scratch === undefined) {
      this.scratchPath = await this.servers.startRedis('scratch');
      this.scratch = await this.servers.connectRedis(this.scratchPath);
    }
    await this.scratch.flushall();
    return this.scratchPath;
  }

  private record(result: Case): Case {
    this.cases.push(result);
    console.log(describeCase(result));
    return result;
  }

  /** A closed loop on a service. */
  async load(
    service: Service,
    connections: number,
    requests: PlannedRequest[],
    options: Partial<Pick<Job, 'once' | 'warmUpMs' | 'durationMs'>> = {},
  ): Promise<Sample> {
    const cpuBefore = service.program.cpuSeconds;
    const { perSecond, latency, cpuShare, allRequests } = await this.send(service, {
      pace: { kind: 'closed', connections },
      requests,
      once: false,
      warmUpMs: this.sizes.warmUpMs,
      durationMs: this.sizes.loadMs,
      ...options,
    });
    const extra: Record<string, number> = { generatorCpuShare: cpuShare };
    const cpuAfter = service.program.cpuSeconds;
    if (cpuBefore !== undefined && cpuAfter !== undefined) {
      extra.serviceCpuMicrosPerRequest = ((cpuAfter - cpuBefore) * 1e6) / allRequests;
    }
    return { value: perSecond, latency, extra };
  }

  /** @throws Error that also says what the service printed last. */
  async send(service: Service, job: Omit<Job, 'origin'>): Promise<JobResult> {
    try {
      return await this.generator.run({ ...job, origin: service.origin });
    } catch (error) {
      throw new Error(service.program.describe(), { cause: error });
    }
  }
}

function describeCase({ name, unit, subjects, ratios }: Case): string {
  const lines = subjects.map((subject) => {
    const times = ratios.find(({ against }) => against === subject.name)?.times;
    const { latency } = subject;
    const parts = [
      `  ${subject.name.padEnd(34)} ${format(subject.median).padStart(10)} ${unit}`,
      `(${format(subject.min)} to ${format(subject.max)})`,
    ];
    if (latency !== undefined) parts.push(`p50 ${format(latency.p50)} ms, p99 ${format(latency.p99)} ms`);
    if (times !== undefined) parts.push(`Tally is ${format(times)}×`);
    return parts.join('  ');
  });
  return [name, ...lines].join('\n');
}

/** Three significant digits, without an exponent. */
export function format(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(digits, 6) });
}
