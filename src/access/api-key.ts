import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Instant } from '../domain/ids';
import type { StoredApiKey } from '../mysql/tables/api-keys';
import type { Principal } from './principal';

/** A key, and whose it is. */
export interface OwnedKey extends StoredApiKey {
  owner: Principal;
}

const TOKEN = /^tally_([0-9a-f]{12})_([\w-]{43})$/;

/** A new key, and its token, which nobody can ever see again. */
export function newApiKey(
  createdAt: Instant,
  expiresAt: Instant | undefined,
): { key: StoredApiKey; token: string } {
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
export function isSecretOf({ secretHash }: Pick<StoredApiKey, 'secretHash'>, secret: string): boolean {
  return timingSafeEqual(secretHash, hashOf(secret));
}

/** Why a key does not count any more; undefined where it does. */
export function whyEnded(
  { expiresAt, revokedAt }: StoredApiKey,
  now: Instant,
): 'revoked' | 'expired' | undefined {
  if (revokedAt !== undefined && revokedAt <= now) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : undefined;
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
