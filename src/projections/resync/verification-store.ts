import { z } from 'zod';
import { count } from '../../domain/answers';
import type { KeySpace } from '../../read-model/keys';
import type { Redis } from '../../redis/client';
import { parseStored, readText } from '../../redis/stored';
import type { Verification } from './verify';

const finding = z.object({ key: z.string(), expected: z.string(), found: z.string(), repaired: z.boolean() });

/** One key of the read model that did not hold what MySQL says. */
export type Finding = z.output<typeof finding>;

/** The last verification by whichever instance, as `GET /read-model` shows it. */
export const storedVerification = z.object({
  generation: z.string(),
  /** Up to which the model was verified. */
  position: count,
  started_at: z.string(),
  finished_at: z.string(),
  orders: count,
  /** Keys that differed. */
  drift: count,
  repaired: count,
  out_of_band: count.meta({ description: 'Changes that other programs made in MySQL' }),
  reconciled: count.meta({ description: 'Of these, changes that the log says by now' }),
  irreconcilable: z
    .array(z.string())
    .meta({ description: 'The first of those that the log can never say, each with its reason' }),
  /** The first of the keys that differed. */
  findings: z.array(finding),
});

export type StoredVerification = z.output<typeof storedVerification>;

/** Irreconcilable rows that are named; all are counted in `out_of_band`. */
const MAX_NAMED = 20;

/** What is kept of a verification. Times are milliseconds since 1970. */
export function summaryOf(
  { outOfBand, ...rest }: Verification,
  { reconciled, startedAt, finishedAt }: { reconciled: number; startedAt: number; finishedAt: number },
): StoredVerification {
  const irreconcilable = outOfBand.flatMap(({ kind, id, irreconcilable: reason }) =>
    reason === undefined ? [] : [`${kind} ${id}: ${reason}`],
  );
  return {
    ...rest,
    out_of_band: outOfBand.length,
    reconciled,
    irreconcilable: irreconcilable.slice(0, MAX_NAMED),
    started_at: new Date(startedAt).toISOString(),
    finished_at: new Date(finishedAt).toISOString(),
  };
}

export async function saveVerification(
  redis: Redis,
  space: KeySpace,
  verification: StoredVerification,
): Promise<void> {
  await redis.set(space.verification, JSON.stringify(verification));
}

export async function readVerification(
  redis: Redis,
  space: KeySpace,
): Promise<StoredVerification | undefined> {
  return parseStored(await readText(redis, space.verification), storedVerification);
}
