/**
 * The parts that the schemas of several requests share. Examples stand before a transform: OpenAPI shows what a client
 * sends, and zod leaves out the examples of what a transform makes of it.
 */
import { z } from 'zod';
import { eventId, positionOf } from '../domain/ids';
import type { MinPosition } from '../domain/log-position';
import type { DayRange } from '../queries/ranges';

const wholeInUrl = (example: string, message: string, tooLarge = message) =>
  z
    .string()
    .regex(/^[1-9]\d{0,15}$/, message)
    .meta({ examples: [example] })
    .transform(Number)
    .refine(Number.isSafeInteger, tooLarge);

/** An id in a path or a query, which is text there. */
export const idInUrl = wholeInUrl('1', 'must be a positive whole number', 'must be below 2^53');

export const limit = (fallback: number) =>
  z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number from 1 to 100')
    .meta({ description: 'From 1 to 100', examples: [String(fallback)] })
    .transform(Number)
    .refine((number) => number >= 1 && number <= 100, 'must be a whole number from 1 to 100')
    .default(fallback);

export const cursor = wholeInUrl('20', 'must be a next_cursor of an earlier answer')
  .optional()
  .meta({ description: '`next_cursor` of the page before' });

/** Far enough from 9999, the last year that sorts as text. */
const LAST_DAY = '9900-01-01';

const day = (description: string, example: string) =>
  z.iso
    .date()
    .refine((text) => text <= LAST_DAY, `must not be after ${LAST_DAY}`)
    .meta({ description, examples: [example] })
    .optional();

/** A range of days, or none. A schema with these two goes on with `.superRefine(checkRange).transform(withRange)`. */
export const range = {
  from: day('A day in UTC; goes with `to`', '2026-11-01'),
  to: day('The day after the last one', '2026-12-01'),
};

interface MaybeRange {
  from?: string | undefined;
  to?: string | undefined;
}

/** Apart from `withRange`, because a transform does not run where another field is wrong: then all faults are told. */
export function checkRange({ from, to }: MaybeRange, context: z.RefinementCtx): void {
  const refuse = (message: string) => context.addIssue({ code: 'custom', path: ['to'], message });
  if ((from === undefined) !== (to === undefined)) return refuse('from and to go together');
  if (from === undefined || to === undefined || from < to) return undefined;
  const areDays = [from, to].every((day) => !Number.isNaN(Date.parse(day)));
  // What is no day is a fault of its own.
  return areDays ? refuse('must be after from: `from` is included, `to` is not') : undefined;
}

export function withRange<T extends MaybeRange>({ from, to, ...rest }: T) {
  const range: DayRange | undefined = from === undefined || to === undefined ? undefined : { from, to };
  return { ...rest, range };
}

export const commandHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional()
    .meta({ description: 'Makes a retry safe: the same key and content are carried out once' }),
});

const MIN_POSITION = /^\d{1,16}(:[0-9a-f]{32})?$/;

export const readHeaders = z.looseObject({
  'tally-min-position': z
    .string()
    .regex(MIN_POSITION, 'must be the Tally-Position of an earlier answer, or its number')
    .meta({
      description:
        'The answer must contain this position: the `Tally-Position` of an earlier answer, for example ' +
        '`76:0192f5a4c1d27b6e9a3f4c5d6e7f8091`. A bare number works too, but after a restore of MySQL the same number ' +
        'may be another event.',
      examples: ['0'], // every log has it
    })
    .transform(parseMinPosition)
    .optional(),
});

function parseMinPosition(text: string, context: z.RefinementCtx): MinPosition {
  const [digits, identity] = text.split(':');
  const number = Number(digits);
  if (!Number.isSafeInteger(number)) {
    context.addIssue('must be below 2^53');
    return z.NEVER;
  }
  const position = positionOf(number);
  return identity === undefined ? { position } : { position, eventId: eventId(identity) };
}

/** The validated parts of a request whose route has these schemas. */
export interface Parsed<R> {
  params: R extends { params: infer S extends z.ZodType } ? z.output<S> : unknown;
  query: R extends { querystring: infer S extends z.ZodType } ? z.output<S> : unknown;
  body: R extends { body: infer S extends z.ZodType } ? z.output<S> : unknown;
}

/** What the routes' handlers do with a reply. */
export interface Reply {
  code(status: number): unknown;
  header(name: string, value: string): unknown;
}
