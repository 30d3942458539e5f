/** The rules for what users and products are made of, from wherever they come. */
import { z } from 'zod';
import { MAX_PRICE, parseMinor, type Minor } from './money';

/** Text that people read, without the space around it. */
const text = (maxLength: number) =>
  z
    .string()
    .trim()
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
    .refine((value) => !/\p{Cc}/u.test(value), 'must have no control characters')
    .refine((value) => value === '' || /[^\p{C}\p{Z}]/u.test(value), 'must have a visible character')
    .meta({ minLength: 1, maxLength })
    .pipe(z.string().min(1).max(maxLength));

export const name = text(200);
export const sku = text(64);
export const email = z.email().max(254);

/** A price of one unit as text. Refuses it in `context`. */
export function priceOf(input: string, context: z.RefinementCtx): Minor {
  const minor = parseMinor(input);
  if (minor !== undefined && minor >= 0n && minor <= MAX_PRICE) return minor;
  context.addIssue('must be a decimal from 0 to 9999999999.99 with at most two places');
  return z.NEVER;
}
