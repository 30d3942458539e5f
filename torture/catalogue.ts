/** What a run can buy and who buys; fixed, so that the checker knows every price. Ids count from 1. */
export const PRICES_CENTS = [1, 250, 29, 115, 1999, 435, 1010, 7, 3333, 99_999, 0, 57];
export const USERS = 8;

/**
 * The first product marks orders: every order that a client asks for holds it in a quantity of its own, by which it is
 * recognised whatever became of the answer.
 */
export const MARKER_PRODUCT = 1;

export function euros(cents: bigint | number): string {
  const digits = String(cents).padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
