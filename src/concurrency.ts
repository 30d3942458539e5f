/**
 * Does the work for all items, for at most `limit` at a time; begins nothing more once one has failed.
 * @throws what the first one that failed did.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    while (failures.length === 0) {
      const next = left.next();
      if (next.done === true) return;
      await work(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures[0];
}

/** Does the work for all items, whatever becomes of the others; results in the order of the items. */
export async function settleAll<T, R>(
  items: T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  await inParallel(items.entries(), limit, async ([index, item]) => {
    [results[index]] = await Promise.allSettled([work(item, index)]);
  });
  return results;
}
