/** Amounts by key. An amount that comes to zero is removed: in the read model, absent and zero are the same. */
export type Sums = Map<string, number>;

/** @throws RangeError where the sum would not be exact: then the bound at the head of the log does not hold. */
export function add(sums: Sums, key: string, by: number): void {
  const sum = (sums.get(key) ?? 0) + by;
  if (!Number.isSafeInteger(sum)) throw new RangeError(`the sum of ${key} is not exact: ${sum}`);
  if (sum === 0) sums.delete(key);
  else sums.set(key, sum);
}

/** As `add`, for the amount of a member within a key. */
export function addWithin(maps: Map<string, Sums>, key: string, member: string, by: number): void {
  let sums = maps.get(key);
  if (sums === undefined) maps.set(key, (sums = new Map()));
  add(sums, member, by);
  if (sums.size === 0) maps.delete(key);
}
