import { createHash } from 'node:crypto';
import { instantAt, type Instant } from '../domain/ids';
import { Problem } from '../domain/problems';
import type { Database } from '../mysql/pool';
import { forgetFailures, forgetOldFailures, lockFailures, setFailures } from '../mysql/tables/login-failures';

/** Failures that cost nothing: people mistype. */
const FREE = { name: 4, browser: 9, address: 19 };
const FIRST_LOCK_MS = 1_000;
/** The longest lock. It ends by itself: whoever guesses at somebody's name cannot keep him out for good. */
const LONGEST_LOCK_MS = 15 * 60_000;
/** Failures count for so long after the last one. */
const FORGET_AFTER_MS = 24 * 3_600_000;

/** Who tries to log in. */
export interface Attempt {
  name: string;
  address: string;
  /** The name that this browser has logged in with before; it has a count of its own, which guesses from elsewhere do not touch. */
  knownBrowser: string | undefined;
}

/**
 * Takes down an attempt before its password is looked at, for all instances. After some failures each further one doubles
 * the time until the next attempt.
 * @throws Problem `too-many-logins` where it comes too soon; then it is not counted.
 */
export async function beginAttempt(database: Database, attempt: Attempt): Promise<void> {
  const now = Date.now();
  const kinds = subjectsOf(attempt);
  await database.session(async (session) => {
    const known = new Map(
      (await session.ask(lockFailures([...kinds.keys()]))).map((failures) => [failures.subject, failures]),
    );
    const lockedUntil = Math.max(
      ...[...known.values()].map((failures) => Date.parse(failures.lockedUntil)),
      0,
    );
    if (lockedUntil > now) throw tooMany(lockedUntil - now);
    const statements = [...kinds].map(([subject, kind]) => {
      const before = known.get(subject);
      const isRecent = before !== undefined && Date.parse(before.failedAt) > now - FORGET_AFTER_MS;
      const failures = (isRecent ? before.failures : 0) + 1;
      return setFailures({
        subject,
        failures,
        failedAt: instantAt(now),
        lockedUntil: lockEnd(now, failures - FREE[kind]),
      });
    });
    const old = forgetOldFailures(instantAt(now - FORGET_AFTER_MS));
    await session.send([...statements, old, { sql: 'COMMIT' }], { ends: true });
  });
}

/** The attempt succeeded: its name, or its browser, begins anew. What others try from its address still counts. */
export async function attemptSucceeded(database: Database, attempt: Attempt): Promise<void> {
  const own = [...subjectsOf(attempt)].filter(([, kind]) => kind !== 'address').map(([subject]) => subject);
  await database.session((session) => session.send([forgetFailures(own), { sql: 'COMMIT' }], { ends: true }));
}

/** Lets somebody try again at once. */
export async function unlock(database: Database, name: string): Promise<void> {
  await database.session((session) =>
    session.send([forgetFailures([subject('name', name), subject('browser', name)]), { sql: 'COMMIT' }], {
      ends: true,
    }),
  );
}

type Kind = keyof typeof FREE;

/** A browser that is known does not count for the name, and guesses at the name do not count for the browser. */
function subjectsOf({ name, address, knownBrowser }: Attempt): Map<string, Kind> {
  const kind = knownBrowser === name ? 'browser' : 'name';
  return new Map<string, Kind>([
    [subject(kind, name), kind],
    [subject('address', address), 'address'],
  ]);
}

/** Of a fixed length, whatever name was typed. */
function subject(kind: Kind, text: string): string {
  return `${kind}:${createHash('sha256').update(text).digest('hex')}`;
}

function lockEnd(now: number, tooMany: number): Instant {
  const ms = tooMany <= 0 ? 0 : Math.min(FIRST_LOCK_MS * 2 ** (tooMany - 1), LONGEST_LOCK_MS);
  return instantAt(now + ms);
}

function tooMany(waitMs: number): Problem {
  const seconds = Math.ceil(waitMs / 1000);
  return new Problem('too-many-logins', `Too many logins failed: try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  });
}
