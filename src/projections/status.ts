import { z } from 'zod';
import { count } from '../domain/answers';
import { errorMessage } from '../domain/errors';
import { formatLogPosition, type LogPosition } from '../domain/log-position';
import { durabilityWarnings } from '../mysql/durability';
import type { Database } from '../mysql/pool';
import { readCheckpoint } from '../read-model/checkpoint';
import type { Keys } from '../read-model/keys';
import type { LiveGeneration } from '../read-model/live';
import { isUnreachable, redisFailure, type Redis } from '../redis/client';
import { evictionCheck } from '../redis/eviction';
import type { Projector } from './projector/projector';
import { readWork } from './resync/resync-lease';
import { readVerification, storedVerification, type StoredVerification } from './resync/verification-store';

export const readModelStatus = z.object({
  status: z.enum(['live', 'building', 'unreachable']),
  prefix: z
    .string()
    .nullable()
    .meta({ description: 'What every key of the live read model begins with, for programs that read them' }),
  generation: z.string().nullable(),
  applied: z
    .string()
    .nullable()
    .meta({ description: 'The checkpoint: newest log position in the reports, `position:event_id`' }),
  head: z.string().nullable().meta({ description: 'Newest committed log position, as last seen' }),
  head_age_seconds: z.number().nullable(),
  lag_events: count,
  lag_seconds: z.number(),
  stalled: z.string().nullable().meta({ description: 'Why nothing is being applied, if so' }),
  work: z
    .string()
    .nullable()
    .meta({ description: 'What a resync is doing at the moment, and how far it is' }),
  last_verification: storedVerification.nullable(),
});
export type ReadModelStatus = z.output<typeof readModelStatus>;

const check = z.object({ ok: z.boolean(), detail: z.string() });

export const readiness = z.object({
  status: z.enum(['ready', 'not-ready']),
  checks: z.record(z.string(), check),
  warnings: z
    .array(z.string())
    .meta({ description: 'What is weaker than it should be, but does not keep the service from working' }),
});
export type Readiness = z.output<typeof readiness>;

export interface StatusDeps {
  redis: Redis;
  database: Database;
  live: LiveGeneration;
  projector: Projector;
  /** Whether a generation is known to be lost, so that nobody reads it. */
  isLost: (keys: Keys) => boolean;
  /** Why the last commands failed; undefined where they did not. */
  commandTrouble: () => string | undefined;
}

/** What `GET /read-model` shows. */
export async function readReadModelStatus(deps: StatusDeps): Promise<ReadModelStatus> {
  const { head, headAgeMs, lagEvents, lagSeconds, stalled } = deps.projector.status();
  const { status, keys, at, work, verification } = await readHeld(deps);
  return {
    status,
    prefix: keys?.prefix ?? null,
    generation: keys?.generation ?? null,
    applied: at === undefined ? null : formatLogPosition(at),
    head: head === undefined ? null : formatLogPosition(head),
    head_age_seconds: headAgeMs === undefined ? null : Math.round(headAgeMs) / 1000,
    lag_events: lagEvents,
    lag_seconds: lagSeconds,
    stalled: stalled ?? null,
    work: work ?? null,
    last_verification: verification ?? null,
  };
}

/** What Redis holds of the read model; no more than a status where that cannot be told. */
interface Held {
  status: ReadModelStatus['status'];
  keys?: Keys | undefined;
  at?: LogPosition | undefined;
  work?: string | undefined;
  verification?: StoredVerification | undefined;
}

async function readHeld({ redis, live, isLost }: StatusDeps): Promise<Held> {
  try {
    const keys = await live.refresh();
    const { space } = live;
    if (space === undefined) return { status: 'building' };
    const at = keys === undefined || isLost(keys) ? undefined : await readCheckpoint(redis, keys);
    const work = await readWork(redis, space);
    const verification = await readVerification(redis, space);
    return { status: at === undefined ? 'building' : 'live', keys, at, work, verification };
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    return { status: 'unreachable' };
  }
}

type Check = z.output<typeof check>;

/** Whether each part works, with the reason. */
export async function readReadiness({
  redis,
  database,
  live,
  projector,
  commandTrouble,
}: StatusDeps): Promise<Readiness> {
  const [mysql, warnings] = await durabilityWarnings(database).then(
    (found): [Check, string[]] => [{ ok: true, detail: 'answers' }, found],
    (error: unknown): [Check, string[]] => [failed(error), []],
  );
  const trouble = commandTrouble();
  const failedInRedis = (error: unknown) =>
    isUnreachable(error) ? { ok: false, detail: redisFailure(redis, error) } : failed(error);
  const checks = {
    mysql,
    commands:
      trouble === undefined ? { ok: true, detail: 'are carried out' } : { ok: false, detail: trouble },
    redis: await redis.ping().then(() => ({ ok: true, detail: 'answers' }), failedInRedis),
    read_model: await readModelCheck(redis, live, projector).catch(failedInRedis),
    redis_eviction: await evictionCheck(redis).catch(failedInRedis),
  };
  const isReady = Object.values(checks).every(({ ok }) => ok);
  return { status: isReady ? 'ready' : 'not-ready', checks, warnings };
}

async function readModelCheck(redis: Redis, live: LiveGeneration, projector: Projector): Promise<Check> {
  const keys = await live.refresh();
  if (keys === undefined) return { ok: false, detail: 'is being built' };
  const { stalled } = projector.status();
  if (stalled !== undefined) return { ok: false, detail: `nothing is being applied: ${stalled}` };
  const at = await readCheckpoint(redis, keys);
  if (at === undefined)
    return { ok: false, detail: `generation ${keys.generation} is lost and will be rebuilt` };
  return { ok: true, detail: `generation ${keys.generation} at ${formatLogPosition(at)}` };
}

function failed(error: unknown): Check {
  return { ok: false, detail: errorMessage(error) };
}
