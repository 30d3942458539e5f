import type { Redis } from '../redis/client';

const SCAN_COUNT = 1000;

/** All keys that match, with SCAN; a key may come twice. The next are asked for while these are used. */
export async function* scan(redis: Redis, pattern: string): AsyncGenerator<string> {
  const ask = (cursor: string) => {
    const asked = redis.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    asked.catch(() => undefined); // thrown when its turn comes
    return asked;
  };
  let next = ask('0');
  for (;;) {
    const [cursor, keys] = await next;
    if (cursor !== '0') next = ask(cursor);
    yield* keys;
    if (cursor === '0') return;
  }
}
