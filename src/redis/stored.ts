import type { Redis } from 'ioredis';
import type { z } from 'zod';
import { isWrongType } from './client';

/** A text that Tally stored. A key of another type was edited by hand: it is as good as absent. */
export async function readText(redis: Redis, key: string): Promise<string | undefined> {
  const text = await redis.get(key).catch((error: unknown) => {
    if (isWrongType(error)) return null;
    throw error;
  });
  return text ?? undefined;
}

/** A JSON document that Tally stored; undefined where it is not that any more. */
export function parseStored<S extends z.ZodType>(
  text: string | undefined,
  schema: S,
): z.output<S> | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // no JSON
  }
}
