/** One atomic reading: a value and the `applied` that it was read with. Without that, nothing was read. */
export type Reading<T> = { applied: null } | { applied: string; value: T };

/** The same reading of what `map` makes of its value. */
export function mapReading<T, U>(reading: Reading<T>, map: (value: T) => U): Reading<U> {
  return reading.applied === null ? reading : { applied: reading.applied, value: map(reading.value) };
}
