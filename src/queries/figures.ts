import { Problem } from '../domain/problems';
import type { Absent } from '../read-model/scripts';

/** A counter as Redis gives it; absent is zero. */
export function counter(text: string | Absent | undefined): bigint {
  return text === undefined || text === false ? 0n : BigInt(text);
}

/**
 * The value behind a score of a ranking, which is stored negated; absent is zero.
 * @throws Problem `sum-out-of-range` where the sum has left the range in which a score is exact (2^53).
 */
export function ranked(score: string | Absent | undefined): bigint {
  if (score === undefined || score === false) return 0n;
  if (!/^-?\d+$/.test(score)) {
    throw new Problem(
      'sum-out-of-range',
      'A sum in this report is beyond 90,071,992,547,409.91 and not known exactly.',
    );
  }
  return -BigInt(score);
}

/**
 * A count as a JSON number.
 * @throws Problem `sum-out-of-range` above 2^53.
 */
export function jsonNumber(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new Problem(
    'sum-out-of-range',
    'A count in this report is beyond 2^53 and cannot be stated as a JSON number.',
  );
}
