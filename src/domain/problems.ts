/**
 * The catalogue of everything that a client can be told went wrong. A slug is permanent: clients switch on it.
 * docs/errors.md lists the same entries; a test keeps the two equal.
 */
export const PROBLEMS = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  'malformed-request': { status: 400, title: 'The request is not valid HTTP' },
  'malformed-json': { status: 400, title: 'The body is not valid JSON' },
  'range-too-wide': { status: 400, title: 'The range is longer than a report may cover' },
  'login-failed': { status: 401, title: 'The provider did not confirm the login' },
  'wrong-login': { status: 401, title: 'The name or the password is wrong' },
  unauthenticated: { status: 401, title: 'The request needs a key' },
  forbidden: { status: 403, title: 'The caller may not do this' },
  'cross-site': { status: 403, title: 'A change with a session must come from a page of Tally' },
  'not-local': { status: 403, title: 'Without keys, only this machine is served' },
  'route-not-found': { status: 404, title: 'There is no such route' },
  'order-not-found': { status: 404, title: 'There is no such order' },
  'product-not-found': { status: 404, title: 'There is no such product' },
  'session-not-found': { status: 404, title: 'There is no such session' },
  'user-not-found': { status: 404, title: 'There is no such user' },
  'method-not-allowed': { status: 405, title: 'The route does not take this method' },
  'email-taken': { status: 409, title: 'Another user has this email' },
  'sku-taken': { status: 409, title: 'Another product has this SKU' },
  'user-in-use': { status: 409, title: 'Orders still refer to this user' },
  'product-in-use': { status: 409, title: 'Orders still refer to this product' },
  'unknown-position': { status: 409, title: 'The log does not hold this position' },
  'request-timeout': { status: 408, title: 'The request did not arrive within the time' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be JSON in UTF-8' },
  'unknown-user': { status: 422, title: 'The order names a user that does not exist' },
  'unknown-product': { status: 422, title: 'The order names a product that does not exist' },
  'order-total-too-large': {
    status: 422,
    title: 'The order total is above the highest that this shop takes',
  },
  'sum-bound-reached': {
    status: 422,
    title: "The shop's sums have reached the bound up to which reports are exact",
  },
  'idempotency-key-reused': { status: 422, title: 'This Idempotency-Key was used with another request' },
  'too-many-logins': { status: 429, title: 'Too many logins failed' },
  'too-many-requests': { status: 429, title: 'The caller has sent too many requests' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  'internal-error': { status: 500, title: 'Something unexpected went wrong' },
  overloaded: { status: 503, title: 'Too many requests are waiting' },
  'shutting-down': { status: 503, title: 'The service is shutting down' },
  'provider-unreachable': { status: 503, title: 'The provider of single sign-on cannot be reached' },
  'sessions-unreachable': { status: 503, title: 'The sessions cannot be reached' },
  'mysql-unreachable': { status: 503, title: 'MySQL cannot be reached' },
  'mysql-unwritable': { status: 503, title: 'MySQL takes no writes' },
  'too-large-for-mysql': { status: 503, title: 'MySQL takes no packet of this size' },
  'outcome-unknown': { status: 503, title: 'Whether the command was carried out is not known yet' },
  'read-model-unreachable': { status: 503, title: 'Redis cannot be reached' },
  'read-model-building': { status: 503, title: 'The read model is being built' },
  'read-model-diverged': {
    status: 503,
    title: 'Another service with a copy of this database uses the same Redis',
  },
  'read-model-damaged': { status: 503, title: 'A part of the read model is not what it should be' },
  'read-model-behind': { status: 503, title: 'The read model has not reached this position yet' },
  'read-model-contended': { status: 503, title: 'The range changes faster than it can be read' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemSlug = keyof typeof PROBLEMS;

interface FieldError {
  /** Where in the request, for example `items.0.quantity`. */
  field: string;
  message: string;
}

export interface ProblemExtras {
  /** For 429 and 503: when it is worth trying again. */
  retryAfterSeconds?: number;
  errors?: FieldError[];
  /** Further members of the problem document. */
  members?: Record<string, unknown>;
  cause?: unknown;
}

/** A fact of the domain that ends a request; `http/` turns it into an `application/problem+json` answer. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly slug: ProblemSlug,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(`${slug}: ${detail}`, { cause: extras.cause });
  }

  get status(): number {
    return PROBLEMS[this.slug].status;
  }
}

/** The `type` member of a problem document. */
export function problemType(slug: ProblemSlug): string {
  return `urn:tally:problem:${slug}`;
}
