import { z } from 'zod';
import { verificationKey } from '../../read-model/keys';
import { readStored } from '../../redis/stored';
import type { ScriptedRedis } from '../../read-model/scripts';
import type { Verification } from './verify';

const storedVerification = z.object({
  generation: z.string(),
  position: z.number(),
  started_at: z.string(),
  finished_at: z.string(),
  orders: z.number(),
  drift: z.number(),
  repaired: z.number(),
  unadopted: z.number(),
  adopted: z.number(),
  findings: z.array(
    z.object({ key: z.string(), expected: z.string(), found: z.string(), repaired: z.boolean() }),
  ),
});

/** The last verification by whichever instance, as `GET /read-model` shows it. */
export type StoredVerification = z.output<typeof storedVerification>;

export async function saveVerification(
  redis: ScriptedRedis,
  prefix: string,
  { unadopted, startedAt, ...rest }: Verification & { adopted: number; startedAt: number },
): Promise<StoredVerification> {
  const stored: StoredVerification = {
    ...rest,
    unadopted: unadopted.length,
    started_at: new Date(startedAt).toISOString(),
    finished_at: new Date().toISOString(),
  };
  await redis.set(verificationKey(prefix), JSON.stringify(stored));
  return stored;
}

export async function readVerification(
  redis: ScriptedRedis,
  prefix: string,
): Promise<StoredVerification | undefined> {
  return readStored(redis, verificationKey(prefix), storedVerification);
}
