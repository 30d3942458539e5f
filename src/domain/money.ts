/**
 * Money is a bigint number of minor units (cents) in code, DECIMAL in MySQL, an integer counter in Redis and a decimal
 * string such as "45.99" in JSON. It is never a float.
 */
export type Minor = bigint;

/** DECIMAL(12,2): the highest price of one unit. */
export const MAX_PRICE: Minor = 9_999_999_999_99n;

/**
 * The most that `MAX_ORDER_TOTAL` may be set to. A thousand such orders, more than one transaction holds, lie between the
 * bound of the sums in `event_head` and 2^53: so every sum of the read model is exact as a double at every moment.
 */
export const HIGHEST_ORDER_TOTAL: Minor = 10_000_000_000_00n;

/** Below this the sums of all orders stay: their number, their units and their minor units (the CHECKs of `event_head`). */
export const SUM_BOUND = 8_000_000_000_000_000;

const DECIMAL = /^(-?)(\d{1,18})(?:\.(\d{1,2}))?$/;

/** "45.99" → 4599n, "7" → 700n; undefined for anything that is not a decimal with at most two places. */
export function parseMinor(text: string): Minor | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  const minor = BigInt(whole) * 100n + BigInt(fraction.padEnd(2, '0'));
  return sign === '-' ? -minor : minor;
}

/** As `parseMinor`, for text that MySQL or Tally itself wrote; throws where that is not so. */
export function minorFromDecimal(text: string): Minor {
  const minor = parseMinor(text);
  if (minor === undefined) throw new Error(`not a decimal amount: ${JSON.stringify(text)}`);
  return minor;
}

/** 4599n → "45.99". */
export function formatMinor(minor: Minor): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(3, '0');
  return `${minor < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** `total / count` in minor units, rounded half up; zero where there is nothing to divide by. */
export function averageMinor(total: Minor, count: bigint): Minor {
  return count === 0n ? 0n : (2n * total + count) / (2n * count);
}
