/** An exact whole number: a bigint only where a number would not be exact, because numbers cost less to keep and to add. */
export type Amount = number | bigint;

/** Amounts by key. An amount that comes to zero is taken away: in the read model, absent and zero are the same. */
export type Sums = Map<string, Amount>;

export function add(sums: Sums, key: string, by: bigint): void {
  const sum = plus(sums.get(key) ?? 0, by);
  if (sum === 0) sums.delete(key);
  else sums.set(key, sum);
}

/** As `add`, for the amount of a member within a key. */
export function addWithin(maps: Map<string, Sums>, key: string, member: string, by: bigint): void {
  let sums = maps.get(key);
  if (sums === undefined) maps.set(key, (sums = new Map()));
  add(sums, member, by);
  if (sums.size === 0) maps.delete(key);
}

function plus(sum: Amount, by: bigint): Amount {
  const step = Number(by);
  if (typeof sum === 'number' && Number.isSafeInteger(step) && Number.isSafeInteger(sum + step)) {
    return sum + step;
  }
  const exact = BigInt(sum) + by;
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}
