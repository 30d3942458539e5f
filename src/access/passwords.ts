import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Turns } from '../concurrency';
import { Problem } from '../domain/problems';

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** OWASP's recommendation for scrypt: 128 MiB and some 300 ms a hash. */
const COST = { N: 2 ** 17, r: 8, p: 1 };
const KEY_BYTES = 32;
const MAX_MEMORY_BYTES = 256 * 2 ** 20;

/** One hash at a time, since each takes 128 MiB and a thread that other work needs, too; and how many may wait. */
const oneByOne = () =>
  new Turns({
    limit: 1,
    maxWaiting: 20,
    waitMs: 10_000,
    refusal: () =>
      new Problem('overloaded', 'Too many people log in at this moment; nothing was changed.', {
        retryAfterSeconds: 5,
      }),
  });

/** Browsers that are known have turns of their own: a flood of others' guesses does not keep them out. */
const turns = { known: oneByOne(), unknown: oneByOne() };

export type Browser = keyof typeof turns;

/** What is stored of a password: `scrypt$N$r$p$salt$key`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derivedKey(password, salt, COST, 'known');
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/**
 * Whether it is the password of this hash; takes the same time for a person without one.
 * @throws Problem `overloaded`
 */
export async function isPassword(
  password: string,
  hash: string | undefined,
  browser: Browser,
): Promise<boolean> {
  const [, N, r, p, salt = '', key = ''] = (hash ?? NOBODYS).split('$');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const expected = Buffer.from(key, 'base64url');
  const found = await derivedKey(password, Buffer.from(salt, 'base64url'), cost, browser);
  return hash !== undefined && expected.length === found.length && timingSafeEqual(expected, found);
}

/** Of no password. */
const NOBODYS = ['scrypt', COST.N, COST.r, COST.p, 'AAAAAAAAAAAAAAAAAAAAAA', 'A'.repeat(43)].join('$');

async function derivedKey(
  password: string,
  salt: Buffer,
  cost: typeof COST,
  browser: Browser,
): Promise<Buffer> {
  // The same letters can be typed in more than one way.
  const typed = password.normalize('NFKC');
  return turns[browser].take(() => derive(typed, salt, KEY_BYTES, { ...cost, maxmem: MAX_MEMORY_BYTES }));
}
