import { z } from 'zod';
import { PROBLEMS, type ProblemSlug } from '../domain/problems';
import { MAX_PRICE, parseMinor, type Minor } from '../domain/money';

/** What requests and answers look like: validation, OpenAPI and the serializers all come from here. */

const id = z.int().positive();

const wellFormed = z
  .string()
  .trim()
  .refine((text) => text.isWellFormed(), 'must be well-formed Unicode');

const price = z
  .union([z.string(), z.number()])
  .transform((input, context): Minor => {
    // A JSON number such as 45.99 becomes the same text again: the shortest one that gives the number.
    const minor = parseMinor(String(input));
    if (minor === undefined || minor < 0n || minor > MAX_PRICE) {
      context.addIssue('must be a decimal from 0 to 9999999999.99 with at most two places');
      return z.NEVER;
    }
    return minor;
  })
  .meta({ description: 'Decimal with at most two places, as a string or a number', examples: ['45.99'] });

export const newOrder = z
  .strictObject({
    user_id: id,
    items: z
      .array(z.strictObject({ product_id: id, quantity: z.int().min(1).max(1_000_000) }))
      .min(1)
      .max(100),
  })
  .meta({ examples: [{ user_id: 1, items: [{ product_id: 1, quantity: 2 }] }] });

export const newProduct = z
  .strictObject({
    name: wellFormed.pipe(z.string().min(1).max(200)),
    sku: wellFormed.pipe(z.string().min(1).max(64)),
    price,
  })
  .meta({ examples: [{ name: 'Tea', sku: 'TEA-1', price: '4.50' }] });

export const newUser = z
  .strictObject({ name: wellFormed.pipe(z.string().min(1).max(200)), email: z.email().max(254) })
  .meta({ examples: [{ name: 'Ada', email: 'ada@example.com' }] });

export const idParams = z.strictObject({ id: z.coerce.number().int().positive() });

export const commandHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional()
    .meta({ description: 'Makes a retry safe: the same key and content are carried out once' }),
});

export const readHeaders = z.looseObject({
  'tally-min-position': z.coerce
    .number()
    .int()
    .nonnegative()
    .optional()
    .meta({ description: 'The answer must contain this position, as a command answered it' }),
});

const cursor = z
  .string()
  .regex(/^[1-9]\d{0,15}$/, 'must be a next_cursor of an earlier answer')
  .transform(Number)
  .optional()
  .meta({ description: '`next_cursor` of the page before' });

const limit = (fallback: number) => z.coerce.number().int().min(1).max(100).default(fallback);

export const page = z.strictObject({ limit: limit(20), cursor });

export const orderPageQuery = page.extend({ user_id: z.coerce.number().int().positive().optional() });

/** Far enough from 9999, the last year that sorts as text. */
const LAST_DAY = '9900-01-01';

const day = z.iso
  .date()
  .refine((text) => text <= LAST_DAY, `must not be after ${LAST_DAY}`)
  .meta({ description: 'A day in UTC', examples: ['2026-11-01'] });

const inOrder = ({ from, to }: { from?: string | undefined; to?: string | undefined }) =>
  from === undefined || to === undefined || from < to;
const IN_ORDER = { path: ['to'], message: 'must be after from: `from` is included, `to` is not' };

export const bestSellersQuery = z
  .strictObject({
    limit: limit(10),
    by: z.enum(['quantity', 'revenue']).default('quantity'),
    from: day.optional(),
    to: day.optional(),
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), {
    path: ['to'],
    message: 'from and to go together; without both the report is of all time',
  })
  .refine(inOrder, IN_ORDER);

export const salesQuery = z
  .strictObject({
    from: day.optional(),
    to: day.optional(),
    interval: z.enum(['day', 'month']).default('day'),
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), {
    path: ['to'],
    message: 'from and to go together; without both the report is of the last 30 days',
  })
  .refine(inOrder, IN_ORDER);

export const topQuery = z.strictObject({ limit: limit(10) });

const money = z.string().meta({ examples: ['45.99'] });
const time = z.string().meta({ examples: ['2026-11-21T10:00:00.000Z'] });
const position = z.int().meta({ description: 'Position of the command in the log', examples: [42] });
const projected = z
  .boolean()
  .meta({ description: 'Whether the reports contain it already; if not, they will' });

export const createdOrder = z.object({
  order_id: id,
  user_id: id,
  total_amount: money,
  items_count: z.int(),
  created_at: time,
  position,
  projected,
});
export const deletedOrder = z.object({ order_id: id, deleted: z.literal(true), position, projected });
export const createdProduct = z.object({
  product_id: id,
  name: z.string(),
  sku: z.string(),
  price: money,
  created_at: time,
  position,
  projected,
});
export const deletedProduct = z.object({ product_id: id, deleted: z.literal(true), position, projected });
export const createdUser = z.object({
  user_id: id,
  name: z.string(),
  email: z.string(),
  created_at: time,
  position,
  projected,
});
export const deletedUser = z.object({ user_id: id, deleted: z.literal(true), position, projected });

export const order = z.object({
  order_id: id,
  user_id: id,
  total_amount: money,
  items_count: z.int(),
  items: z.array(z.object({ product_id: id, quantity: z.int() })),
  created_at: time,
});
const nextCursor = z
  .string()
  .nullable()
  .meta({ description: 'Where the next page begins; null on the last one' });
export const orderPage = z.object({ orders: z.array(order), next_cursor: nextCursor });

export const product = createdProduct.omit({ position: true, projected: true });
export const productPage = z.object({ products: z.array(product), next_cursor: nextCursor });
export const user = createdUser.omit({ position: true, projected: true });
export const userPage = z.object({ users: z.array(user), next_cursor: nextCursor });

export const bestSellers = z.array(
  z.object({ product_id: id, name: z.string(), sku: z.string(), quantity_sold: z.int(), revenue: money }),
);
export const highestSpenders = z.array(
  z.object({ user_id: id, name: z.string(), total_expense: money, orders_count: z.int() }),
);
const figures = { orders: z.int(), units: z.int(), revenue: money };
export const summary = z.object({ ...figures, average_order_value: money });
export const salesReport = z.object({
  from: z.string(),
  to: z.string(),
  interval: z.enum(['day', 'month']),
  ...figures,
  intervals: z.array(z.object({ start: z.string(), ...figures })),
});

export const health = z.object({ status: z.literal('ok') });
export const readiness = z.object({
  status: z.enum(['ready', 'not-ready']),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
  warnings: z.array(z.string()),
});
export const readModel = z.object({
  status: z.enum(['live', 'building', 'unreachable']),
  generation: z.string().nullable(),
  applied: z.string().nullable().meta({ description: 'Newest tip in the reports, `position:command_id`' }),
  head: z.string().nullable().meta({ description: 'Newest committed tip, as last seen' }),
  head_age_seconds: z.number().nullable(),
  lag_events: z.int(),
  lag_seconds: z.number(),
  stalled: z.string().nullable().meta({ description: 'Why nothing is being applied, if so' }),
  work: z
    .string()
    .nullable()
    .meta({ description: 'What a resync is doing at the moment, and how far it is' }),
  last_verification: z
    .object({
      generation: z.string(),
      position: z.int(),
      started_at: time,
      finished_at: time,
      orders: z.int(),
      drift: z.int(),
      repaired: z.int(),
      unadopted: z.int(),
      adopted: z.int(),
      findings: z.array(
        z.object({ key: z.string(), expected: z.string(), found: z.string(), repaired: z.boolean() }),
      ),
    })
    .nullable(),
});

const problem = z
  .looseObject({
    type: z.string().meta({ examples: ['urn:tally:problem:unknown-product'] }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().optional().meta({ description: 'The id of the request' }),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .meta({ description: 'RFC 9457 problem document' });

/** The `response` schemas of these problems, by status. */
export function problems(...slugs: ProblemSlug[]) {
  const byStatus = new Map<number, ProblemSlug[]>();
  for (const slug of slugs) {
    const { status } = PROBLEMS[slug];
    byStatus.set(status, [...(byStatus.get(status) ?? []), slug]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      { description: same.join(', '), content: { 'application/problem+json': { schema: problem } } },
    ]),
  );
}
