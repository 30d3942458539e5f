import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { workKey } from '../../read-model/keys';
import { readStored } from '../../redis/stored';
import { takeLock, type ScriptedRedis } from '../../read-model/scripts';

/** A worker that says nothing for this long is taken for dead, and another may begin. */
const TTL_MS = 15_000;
const HEARTBEAT_MS = 3_000;

const workState = z.object({
  kind: z.enum(['rebuild', 'verify', 'repair']),
  token: z.string(),
  phase: z.string(),
  done: z.number(),
  total: z.number(),
  startedAt: z.number(),
});

/** What a resync is doing, and how far it is; `done` and `total` count orders. */
export type WorkState = z.output<typeof workState>;

export interface WorkOptions {
  /** Told at every step; undefined at the end. */
  observe?: ((state: WorkState | undefined) => void) | undefined;
  /** Told every few seconds how far the work is. */
  log?: Logger;
  /** Ends the work at its next step. */
  signal?: AbortSignal | undefined;
}

/**
 * Takes turns with other instances at resyncing, and tells everybody how far it is. It only saves double work: the lock
 * expires and may vanish, and every step of a resync is correct without it.
 */
export class Work {
  private lastHeartbeat = performance.now();

  private constructor(
    private readonly redis: ScriptedRedis,
    private readonly prefix: string,
    private readonly options: WorkOptions,
    readonly state: WorkState,
  ) {}

  /** @returns undefined where another instance is at it. */
  static async begin(
    redis: ScriptedRedis,
    prefix: string,
    kind: WorkState['kind'],
    options: WorkOptions,
  ): Promise<Work | undefined> {
    const state: WorkState = {
      kind,
      token: randomUUID(),
      phase: 'reading',
      done: 0,
      total: 0,
      startedAt: Date.now(),
    };
    const work = new Work(redis, prefix, options, state);
    if (!(await takeLock(redis, workKey(prefix), JSON.stringify(state), TTL_MS))) return undefined;
    options.observe?.(state);
    return work;
  }

  /** Says how far the work is; talks to Redis only now and then. Throws where the work is to stop. */
  async progress(update: Partial<Pick<WorkState, 'phase' | 'done' | 'total'>>): Promise<void> {
    this.options.signal?.throwIfAborted();
    Object.assign(this.state, update);
    this.options.observe?.(this.state);
    if (performance.now() - this.lastHeartbeat < HEARTBEAT_MS) return;
    this.lastHeartbeat = performance.now();
    this.options.log?.info(describeWork(this.state));
    await this.redis.set(workKey(this.prefix), JSON.stringify(this.state), 'PX', TTL_MS);
  }

  async end(): Promise<void> {
    this.options.observe?.(undefined);
    const current = await readWork(this.redis, this.prefix);
    if (current?.token === this.state.token) await this.redis.del(workKey(this.prefix));
  }
}

/** What some instance is doing at the moment, if any. */
export async function readWork(redis: ScriptedRedis, prefix: string): Promise<WorkState | undefined> {
  return readStored(redis, workKey(prefix), workState);
}

/** For people: `rebuild: reading, 41 % of 830 orders, 2,100 orders/s, 3 s left`. */
export function describeWork({ kind, phase, done, total, startedAt }: WorkState): string {
  const seconds = (Date.now() - startedAt) / 1000;
  const rate = seconds > 0 ? done / seconds : 0;
  const share = total > 0 ? `, ${Math.floor((100 * done) / total)} % of ${total} orders` : '';
  const left = rate > 0 && total > done ? `, ${Math.ceil((total - done) / rate)} s left` : '';
  const speed = done > 0 ? `, ${Math.round(rate)} orders/s` : '';
  return `${kind}: ${phase}${share}${speed}${left}`;
}
