import type { z } from 'zod';
import { isWrongType } from './client';
import type { ScriptedRedis } from '../read-model/scripts';

/** A JSON document that Tally stored in Redis; undefined where there is none, or it is not that any more. */
export async function readStored<S extends z.ZodType>(
  redis: ScriptedRedis,
  key: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  const text = await redis.get(key).catch((error: unknown) => {
    if (isWrongType(error)) return null; // edited by hand: as good as absent
    throw error;
  });
  if (text === null) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // likewise
  }
}
