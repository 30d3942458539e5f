/**
 * What `promise` brings, if it does within the time. mysql2's own limit counts from when a statement is sent: one that
 * waits behind another on a connection that has gone silent would wait for ever.
 * @throws Error with the code TALLY_TIMEOUT.
 */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error(`no ${what} within ${timeoutMs} ms`), { code: 'TALLY_TIMEOUT' }));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
