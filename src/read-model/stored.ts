import type { z } from 'zod';

/** A JSON document that Tally stored in Redis; undefined where it is not that any more. */
export function parseStored<S extends z.ZodType>(schema: S, text: string): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // edited by hand: as good as absent
  }
}
