/**
 * What every answer tells browsers: it is data, for no other page than the one that asked for it. They are constant and set
 * by a hook: @fastify/helmet makes a dozen of them anew for each answer, which took a third of the reports a second.
 *
 * Deliberately absent: Strict-Transport-Security, which whoever ends TLS has to say; what only browsers read that are gone
 * (X-Frame-Options, X-XSS-Protection and the like); and what means nothing for data.
 */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
} as const;

/** Of the logo that swagger-ui shows while the page is being built; without it, the browser's console complains. */
const LOGO_STYLE = 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w=';

/** The page of `/docs` has scripts and styles of its own, images within its styles, and sends requests to this service. */
export const DOCS_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' '${LOGO_STYLE}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
} as const;
