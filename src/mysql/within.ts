/**
 * What `promise` brings, if it does within the time. mysql2's own limit counts from when a statement is sent: one that
 * waits behind another on a connection that has gone silent would wait for ever.
 * @throws Error with the code TALLY_TIMEOUT.
 */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  return promiseWithin(timeoutMs, what, (resolve, reject) => void promise.then(resolve, reject));
}

/** As `within`, for what calls back: every command waits for three of these, and a promise of mysql2 costs it more. */
export async function promiseWithin<T>(
  timeoutMs: number,
  what: string,
  begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        Object.assign(new Error(`no ${what} within ${Math.round(timeoutMs)} ms`), { code: 'TALLY_TIMEOUT' }),
      );
    }, timeoutMs);
    begin(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
