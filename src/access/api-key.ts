import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Instant } from '../domain/ids';
import type { Principal } from './principal';

/** What is stored of a key. */
export interface ApiKey {
  /** 12 digits in hexadecimal; public, the second part of the token. */
  id: string;
  secretHash: Buffer;
  createdAt: Instant;
  /** Undefined: never. */
  expiresAt: Instant | undefined;
  revokedAt: Instant | undefined;
  lastUsedAt: Instant | undefined;
}

/** A key, and whose it is. */
export interface OwnedKey extends ApiKey {
  owner: Principal;
}

const TOKEN = /^tally_([0-9a-f]{12})_([\w-]{43})$/;

/** A new key, and its token, which nobody can ever see again. */
export function newApiKey(
  createdAt: Instant,
  expiresAt: Instant | undefined,
): { key: ApiKey; token: string } {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const fresh = { revokedAt: undefined, lastUsedAt: undefined };
  return {
    key: { id, secretHash: hashOf(secret), createdAt, expiresAt, ...fresh },
    token: `tally_${id}_${secret}`,
  };
}

export interface Token {
  id: string;
  secret: string;
}

/** The parts of a token; undefined for any other text. */
export function parseToken(text: string): Token | undefined {
  const [, id, secret] = TOKEN.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Whether it is the key's secret; takes the same time wherever they differ. */
export function isSecretOf({ secretHash }: Pick<ApiKey, 'secretHash'>, secret: string): boolean {
  return timingSafeEqual(secretHash, hashOf(secret));
}

/** Why a key does not count any more; undefined where it does. */
export function whyEnded({ expiresAt, revokedAt }: ApiKey, now: Instant): 'revoked' | 'expired' | undefined {
  if (revokedAt !== undefined && revokedAt <= now) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : undefined;
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
