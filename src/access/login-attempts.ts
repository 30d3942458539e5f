import { createHash } from 'node:crypto';
import { instantAt, type Instant } from '../domain/ids';
import { Problem } from '../domain/problems';
import type { Database } from '../mysql/pool';
import {
  forgetFailures,
  lockFailures,
  lockOldFailures,
  setFailures,
  takeBackFailure,
} from '../mysql/tables/login-failures';

/** Failures that cost nothing: people mistype. */
const FREE = { name: 4, browser: 9, address: 19 };
const FIRST_LOCK_MS = 1_000;
/** The longest lock. Whoever guesses on and on at a name begins it anew each time, so he keeps out browsers that are not known. */
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
    const all = await session.ask(lockFailures([...kinds.keys()], instantAt(now)));
    // Where there is no lock, both times are the same. They are of others' clocks, which may be a little ahead.
    const locks = all.filter((before) => before.lockedUntil > before.failedAt);
    const lockedUntil = Math.max(0, ...locks.map((before) => Date.parse(before.lockedUntil)));
    if (lockedUntil > now) throw tooMany(lockedUntil - now);
    const statements = all.map((before) => {
      const { subject } = before;
      const isRecent = Date.parse(before.failedAt) > now - FORGET_AFTER_MS;
      const failures = (isRecent ? before.failures : 0) + 1;
      const free = FREE[kinds.get(subject) ?? 'name'];
      return setFailures({
        subject,
        failures,
        failedAt: instantAt(now),
        lockedUntil: lockEnd(now, failures - free),
      });
    });
    await session.send([...statements, { sql: 'COMMIT' }], { ends: true });
    // In a transaction of its own, which holds nothing that other logins wait for.
    const old = await session.ask(lockOldFailures(instantAt(now - FORGET_AFTER_MS)));
    if (old.length > 0) await session.send([forgetFailures(old), { sql: 'COMMIT' }], { ends: true });
  });
}

/**
 * The attempt succeeded: its name, or its browser, begins anew. Many people may share an address: of that, this attempt does
 * not count, and one that failed before is forgiven, so that what people mistype does not add up for ever.
 */
export async function attemptSucceeded(database: Database, attempt: Attempt): Promise<void> {
  const statements = [...subjectsOf(attempt)].map(([subject, kind]) =>
    kind === 'address' ? takeBackFailure(subject, 2) : forgetFailures([subject]),
  );
  await database.session((session) => session.send([...statements, { sql: 'COMMIT' }], { ends: true }));
}

/** The password was not looked at after all. */
export async function attemptNotMade(database: Database, attempt: Attempt): Promise<void> {
  const statements = [...subjectsOf(attempt).keys()].map(takeBackFailure);
  await database.session((session) => session.send([...statements, { sql: 'COMMIT' }], { ends: true }));
}

/** Whether the person has logged in with this browser before. */
export function isKnown({ name, knownBrowser }: Attempt): boolean {
  return knownBrowser === name;
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
function subjectsOf(attempt: Attempt): Map<string, Kind> {
  const { name, address } = attempt;
  const kind = isKnown(attempt) ? 'browser' : 'name';
  // In the order in which `lockFailures` locks them.
  return new Map<string, Kind>([
    [subject('address', address), 'address'],
    [subject(kind, name), kind],
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
