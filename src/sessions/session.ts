import { createHash } from 'node:crypto';
import { z } from 'zod';

/** What a session of somebody who is logged in holds, besides its cookie. */
export const sessionContent = z.object({
  personId: z.int().min(1),
  /** The person's session key when the session began: see access/people.ts. */
  sessionKey: z.string(),
  /** Milliseconds since 1970. */
  beganAt: z.number(),
  usedAt: z.number(),
  address: z.string(),
  browser: z.string(),
});

export type SessionContent = z.output<typeof sessionContent>;

export interface SessionLimits {
  /** A session that is not used for so long ends. */
  idleMs: number;
  /** Every session ends so long after it began. */
  longestMs: number;
}

/** How long a session may live on from now; 0 or less: it is over. */
export function leftMs(
  { beganAt, usedAt }: SessionContent,
  { idleMs, longestMs }: SessionLimits,
  now: number,
): number {
  return Math.min(beganAt + longestMs, usedAt + idleMs) - now;
}

/** What the id of a session is stored as: what the store holds makes no cookie. */
export function storedId(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('hex');
}
