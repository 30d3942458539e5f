import type { Redis } from 'ioredis';
import { isUnreachable } from './client';

/** Whether Redis may evict keys of the read model, which have no TTL. */
export async function evictionCheck(redis: Redis): Promise<{ ok: boolean; detail: string }> {
  let policy: string | undefined;
  try {
    [, policy] = await redis.config('GET', 'maxmemory-policy');
  } catch (error) {
    if (isUnreachable(error)) throw error;
    // Managed services forbid CONFIG: then INFO tells.
    policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1];
  }
  if (policy === undefined) return { ok: true, detail: 'the eviction policy is not known' };
  if (policy === 'noeviction' || policy.startsWith('volatile-')) return { ok: true, detail: policy };
  return {
    ok: false,
    detail: `maxmemory-policy is ${policy}, by which Redis may drop parts of the reports: set noeviction or volatile-lru`,
  };
}
