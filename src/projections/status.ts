import { formatTip } from '../domain/events';
import type { Database } from '../mysql/pool';
import { durabilityWarnings } from '../mysql/durability';
import { evictionCheck, failed } from '../redis/eviction';
import type { LiveGeneration } from '../read-model/live';
import { isUnreachable } from '../redis/client';
import { readAppliedTip, type ScriptedRedis } from '../read-model/scripts';
import { readApplied } from './projector/applier';
import type { Projector } from './projector/projector';
import { readVerification, type StoredVerification } from './resync/verification-store';
import { describeWork, readWork } from './resync/work';

export interface StatusDeps {
  redis: ScriptedRedis;
  database: Database;
  live: LiveGeneration;
  projector: Projector;
}

/** What `GET /read-model` shows. */
export async function readModelStatus({ redis, live, projector }: StatusDeps) {
  const { head, headAgeMs, lagEvents, lagSeconds, stalled } = projector.status();
  const seen = {
    head: head === undefined ? null : formatTip(head),
    head_age_seconds: headAgeMs === undefined ? null : headAgeMs / 1000,
    lag_events: lagEvents,
    lag_seconds: lagSeconds,
    stalled: stalled ?? null,
  };
  try {
    const keys = await live.refresh();
    const applied = keys === undefined ? null : await readAppliedTip(redis, keys);
    const work = await readWork(redis, live.prefix);
    const verification: StoredVerification | undefined = await readVerification(redis, live.prefix);
    return {
      status: applied === null ? ('building' as const) : ('live' as const),
      generation: keys?.generation ?? null,
      applied,
      ...seen,
      work: work === undefined ? null : describeWork(work),
      last_verification: verification ?? null,
    };
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    return {
      status: 'unreachable' as const,
      generation: null,
      applied: null,
      ...seen,
      work: null,
      last_verification: null,
    };
  }
}

/** Whether each part works, with the reason. */
export async function readiness({ redis, database, live, projector }: StatusDeps) {
  const [mysql, warnings] = await durabilityWarnings(database).then(
    (found) => [{ ok: true, detail: 'answers' }, found] as const,
    (error: unknown) => [failed(error), []] as const,
  );
  const redisAnswers = await redis.ping().then(() => ({ ok: true, detail: 'answers' }), failed);
  const readModel = await live
    .refresh()
    .then(async (keys) => {
      if (keys === undefined) return { ok: false, detail: 'is being built' };
      const { stalled } = projector.status();
      if (stalled !== undefined) return { ok: false, detail: `nothing is being applied: ${stalled}` };
      return {
        ok: true,
        detail: `generation ${keys.generation} at ${formatTip(await readApplied(redis, keys))}`,
      };
    })
    .catch(failed);
  const eviction = await evictionCheck(redis).catch(failed);
  return {
    checks: { mysql, redis: redisAnswers, read_model: readModel, redis_eviction: eviction },
    warnings,
  };
}
