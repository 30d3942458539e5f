/** Does the work for all items, for at most `limit` at a time; results in the order of the items. */
export async function settleAll<T, R>(
  items: T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  const left = items.entries();
  const worker = async () => {
    for (const [index, item] of left) {
      const [result] = await Promise.allSettled([work(item, index)]);
      results[index] = result;
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}
