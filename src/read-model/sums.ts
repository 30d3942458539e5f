/** Amounts by key. An amount that comes to zero is taken away: in the read model, absent and zero are the same. */
export type Sums = Map<string, bigint>;

export function add(sums: Sums, key: string, by: bigint): void {
  const sum = (sums.get(key) ?? 0n) + by;
  if (sum === 0n) sums.delete(key);
  else sums.set(key, sum);
}

/** As `add`, for the amount of a member within a key. */
export function addWithin(maps: Map<string, Sums>, key: string, member: string, by: bigint): void {
  let sums = maps.get(key);
  if (sums === undefined) maps.set(key, (sums = new Map()));
  add(sums, member, by);
  if (sums.size === 0) maps.delete(key);
}
