import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { HIGHEST_ORDER_TOTAL, parseMinor, type Minor } from './domain/money';
import { plainEnglish } from './domain/plain-english';

/** A whole number within bounds. */
const whole = (fallback: number, min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number in digits')
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .default(fallback);

/** Requests a minute, or none of a limit. */
const rateLimit = (fallback: number) =>
  z
    .string()
    .regex(/^(off|\d+)$/, 'must be a whole number in digits, or off')
    .transform((text) => (text === 'off' ? text : Number(text)))
    .pipe(z.union([z.literal('off'), z.int().min(1).max(1_000_000_000)]))
    .default(fallback);

const isNetwork = (text: string) => isIP(text) !== 0 || ipaddr.isValidCIDR(text);

/** As a browser writes it: nothing else would ever be equal to it. */
function isOrigin(text: string): boolean {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}

function orderTotal(text: string, context: z.RefinementCtx): Minor {
  const minor = parseMinor(text);
  if (minor !== undefined && minor > 0n && minor <= HIGHEST_ORDER_TOTAL) return minor;
  context.addIssue('must be an amount like 1000000.00, at most 10000000000.00');
  return z.NEVER;
}

function sentinelAddress(text: string): { host: string; port: number } {
  const [host = '', port = ''] = text.split(':');
  return { host, port: Number(port) };
}

function isDatabaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname } = new URL(text);
  return (protocol === 'mysql:' || protocol === 'mariadb:') && pathname.length > 1;
}

/** What a provider says must not be read or changed on its way. */
function isSecureOrLocal(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

const redisUrl = z
  .string()
  .min(1)
  // The driver would take any other URL for the path of a socket.
  .regex(/^(rediss?:\/\/|(?!\w[\w+.-]*:\/\/))/, 'must be like redis://host:6379, or the path of a socket');

/**
 * The environment variables and what they mean. This is the one home of every default; the README's table is kept equal
 * to it by a test.
 */
export const SETTINGS = z.object({
  DATABASE_URL: z
    .string()
    .refine(isDatabaseUrl, 'must be like mysql://user:password@host:3306/database')
    .describe(
      'MySQL 8.0+ or MariaDB 10.6+, as `mysql://user:password@host:3306/database` (`?socketPath=` for a socket)',
    ),
  REDIS_URL: redisUrl.describe(
    'Redis 7.0+ or Valkey 7.2+, as `redis://host:6379` or the path of a socket; with sentinels only its user, password and database count',
  ),
  REDIS_SENTINELS: z
    .string()
    .regex(/^[^,:\s]+:\d+(,[^,:\s]+:\d+)*$/, 'must be like host:26379,host:26379')
    .transform((text) => text.split(',').map(sentinelAddress))
    .optional()
    .describe('sentinels that know the primary, as `host:26379,host:26379`; needs `REDIS_SENTINEL_NAME`'),
  REDIS_SENTINEL_NAME: z.string().min(1).optional().describe('name of the primary at the sentinels'),
  SESSION_REDIS_URL: redisUrl
    .optional()
    .describe(
      'Redis for the sessions of people, as `REDIS_URL`, which it may be; without it they are kept in the process and end with it',
    ),
  SESSION_SECRETS: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.string().min(32)))
    .optional()
    .describe(
      'what session cookies are signed with, by commas, each of 32 characters or more: the first one signs, all are taken; needed with `SESSION_REDIS_URL`',
    ),
  SESSION_IDLE_S: whole(43_200, 60, 2_592_000).describe('a session that is not used for so long ends'),
  SESSION_MAX_S: whole(604_800, 60, 31_536_000).describe('every session ends so long after its login'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform((text) => text.replace(/\/$/, ''))
    .optional()
    .describe('where browsers reach this service, as `https://tally.example.com`; needed for single sign-on'),
  OIDC_ISSUER: z
    .url({ protocol: /^https?$/ })
    .refine(isSecureOrLocal, 'must begin with https://, except on this machine')
    .optional()
    .describe('provider of OpenID Connect with which people log in, as `https://login.example.com`'),
  OIDC_CLIENT_ID: z.string().min(1).optional().describe('what the provider calls this service'),
  OIDC_CLIENT_SECRET: z.string().min(1).optional().describe('by which the provider knows this service'),
  OIDC_ROLE_CLAIM: z
    .string()
    .min(1)
    .default('roles')
    .describe(
      'the claim that holds `viewer`, `operator` or `admin`, alone or in a list; who has none of them may do nothing',
    ),
  REDIS_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,40}$/, 'must be 1 to 40 letters, digits, - or _')
    .default('tally')
    .describe(
      'first part of every key; on one Redis, only services with copies of one database need different ones',
    ),
  HOST: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  PORT: whole(3000, 0, 65_535).describe('port to listen on; 0 takes a free one'),
  ACCESS: z
    .enum(['auto', 'closed'])
    .default('auto')
    .describe(
      '`closed`: every request needs a key. `auto`: until somebody is given a key, programs on this machine need none, and `HOST` must be a loopback address',
    ),
  PUBLIC_ROUTES: z
    .enum(['none', 'docs', 'metrics', 'docs,metrics'])
    .default('docs')
    .describe(
      'what needs no key besides `/` and `/health/…`: `docs` (with `/openapi.json`), `metrics`, `docs,metrics`, or `none`',
    ),
  AUDIT_DAYS: whole(90, 1, 3_650).describe(
    'how long `/audit` keeps refused keys and changes of keys, in days; commands it keeps for ever',
  ),
  RATE_LIMIT: rateLimit(60_000).describe(
    'requests a minute of one principal, over all instances; further ones are answered 429. `off`: any number',
  ),
  RATE_LIMIT_ANONYMOUS: rateLimit(600).describe(
    'the same for one address, of requests without a good key; `off`: any number',
  ),
  TRUST_PROXY: z
    .string()
    .transform((text) => text.split(','))
    .refine((networks) => networks.every(isNetwork), 'must be like 10.0.0.1,192.168.0.0/16')
    .optional()
    .describe(
      'addresses or networks of the proxies whose `X-Forwarded-For` is believed, as `10.0.0.1,192.168.0.0/16`; of requests by way of any other, the address is that of the proxy',
    ),
  CORS_ORIGINS: z
    .string()
    .transform((text) => text.split(','))
    .refine((origins) => origins.every(isOrigin), 'must be like https://shop.example,http://localhost:5173')
    .optional()
    .describe(
      'origins whose pages may send requests from a browser, as `https://shop.example,http://localhost:5173`',
    ),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('lowest level that is logged'),
  MAX_CONNECTIONS: whole(4000, 10, 100_000).describe(
    'HTTP connections at a time; further ones are closed at once',
  ),
  REQUEST_TIMEOUT_MS: whole(30_000, 100, 300_000).describe(
    'how long a client may take to send its request; then it is answered 408',
  ),
  DOCS: z
    .enum(['on', 'off'])
    .default('on')
    .describe('whether `/docs` shows the API in a browser; `/openapi.json` describes it in any case'),
  BODY_LIMIT_BYTES: whole(65_536, 1024, 10_485_760).describe(
    'largest request body; a larger one is answered 413',
  ),
  MAX_ORDER_TOTAL: z
    .string()
    .default('1000000.00')
    .transform(orderTotal)
    .describe('highest total of one order, at most `10000000000.00`; a higher one is answered 422'),
  PROJECTION_WAIT_MS: whole(1000, 0, 60_000).describe(
    'how long the answer to a command waits until the reports contain it',
  ),
  READ_WAIT_MS: whole(2000, 0, 60_000).describe(
    'how long a read with `Tally-Min-Position` waits for that position, and a report over a wide range for its turn, before it is answered 503',
  ),
  PROJECTION_POLL_MS: whole(500, 10, 60_000).describe(
    'how often the projector asks MySQL for events that it was not told of',
  ),
  VERIFY_INTERVAL_S: whole(3600, 0, 2_592_000).describe(
    'how often the read model is verified and repaired in the background; 0 only at start',
  ),
  REBUILD_MIN_INTERVAL_S: whole(300, 0, 86_400).describe(
    'drift that cannot be repaired key by key is answered by a rebuild, not more often than this',
  ),
  MYSQL_POOL_SIZE: whole(10, 1, 500).describe(
    'connections for commands; reads and the projector have a few of their own',
  ),
  MYSQL_QUEUE_LIMIT: whole(1000, 1, 100_000).describe(
    'commands that may wait for their turn; further ones are answered 503 `overloaded`',
  ),
  MYSQL_TIMEOUT_MS: whole(5000, 100, 120_000).describe(
    'how long a command may take from its arrival, and the longest wait for an answer of MySQL',
  ),
  REDIS_TIMEOUT_MS: whole(2000, 50, 60_000).describe('longest wait for an answer of Redis'),
  SHUTDOWN_TIMEOUT_MS: whole(10_000, 100, 300_000).describe(
    'how long a shutdown waits for requests in flight',
  ),
});

const environment = SETTINGS.superRefine(sentinelsGoTogether)
  .superRefine(sharedSessionsHaveSecrets)
  .superRefine(providerIsComplete);

export type Config = Readonly<z.output<typeof environment>>;

function sentinelsGoTogether(
  config: { REDIS_SENTINELS?: unknown; REDIS_SENTINEL_NAME?: unknown },
  context: z.RefinementCtx,
): void {
  for (const [name, other] of [
    ['REDIS_SENTINELS', 'REDIS_SENTINEL_NAME'],
    ['REDIS_SENTINEL_NAME', 'REDIS_SENTINELS'],
  ] as const) {
    if (config[name] !== undefined || config[other] === undefined) continue;
    context.addIssue({ code: 'custom', path: [name], message: `it goes with ${other}` });
  }
}

/** Instances that share sessions must know each other's cookies, also after a restart. */
function sharedSessionsHaveSecrets(
  config: { SESSION_REDIS_URL?: unknown; SESSION_SECRETS?: unknown },
  context: z.RefinementCtx,
): void {
  if (config.SESSION_REDIS_URL === undefined || config.SESSION_SECRETS !== undefined) return;
  context.addIssue({ code: 'custom', path: ['SESSION_SECRETS'], message: 'it goes with SESSION_REDIS_URL' });
}

const OIDC_NEEDS = ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'PUBLIC_URL'] as const;

function providerIsComplete(
  config: Partial<Record<(typeof OIDC_NEEDS)[number] | 'OIDC_ISSUER', unknown>>,
  context: z.RefinementCtx,
): void {
  if (config.OIDC_ISSUER === undefined) return;
  for (const name of OIDC_NEEDS) {
    if (config[name] !== undefined) continue;
    context.addIssue({ code: 'custom', path: [name], message: 'it goes with OIDC_ISSUER' });
  }
}

/** The configuration is not usable; the message lists every fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration from environment variables; an empty variable counts as not set.
 * @throws ConfigError that lists all faults at once.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given, { error: plainEnglish });
  if (parsed.success) return Object.freeze(parsed.data);
  const faults = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return given[name] === undefined
      ? `${name} is not set${issue.code === 'custom' ? `: ${issue.message}` : ''}`
      : `${name}: ${issue.message}`;
  });
  throw new ConfigError(`the configuration is not usable:\n  ${faults.join('\n  ')}`);
}
