/** What the schemas of all JSON answers are made of. */
import { z } from 'zod';

export const id = z.int().min(1);

/** How many there are of something, or a position in the log. */
export const count = z.int().min(0);

export const money = z.string().meta({ examples: ['45.99'] });

export const time = z.string().meta({ examples: ['2026-11-21T10:00:00.000Z'] });

export const nextCursor = z
  .string()
  .nullable()
  .meta({ description: 'Where the next page begins; null on the last one' });
