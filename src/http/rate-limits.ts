import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import type { Principal } from '../access/principal';
import { ASK_MS, WINDOW_MS, type Allowance, type RateLimiter } from '../access/rate-limit';
import type { Config } from '../config';
import { Problem } from '../domain/problems';
import type { Metrics } from './metrics';

export interface RateLimitDeps {
  config: Pick<Config, 'RATE_LIMIT' | 'RATE_LIMIT_ANONYMOUS'>;
  limiter: RateLimiter;
  metrics: Metrics;
}

/** What goes on after a request was counted; told the refusal where it is one too many. */
type Next = (refusal: Problem | undefined) => void;

/** Whose requests are counted together; also the name of the policy in the headers. */
type Kind = 'principal' | 'address';

/** Counts the requests of principals and addresses, and tells them in headers how many are left. */
export class RateLimits {
  private readonly perMinute: Record<Kind, number | 'off'>;

  constructor(private readonly deps: RateLimitDeps) {
    const { RATE_LIMIT: principal, RATE_LIMIT_ANONYMOUS: address } = deps.config;
    this.perMinute = { principal, address };
  }

  countPrincipal({ id }: Principal, reply: FastifyReply, next: Next): void {
    this.count('principal', String(id), reply, next);
  }

  countAddress({ ip }: FastifyRequest, reply: FastifyReply, next: Next): void {
    this.count('address', networkOf(ip), reply, next);
  }

  /** A callback: nearly always everything that is needed is in memory. */
  private count(kind: Kind, who: string, reply: FastifyReply, next: Next): void {
    const limit = this.perMinute[kind];
    if (limit === 'off') return next(undefined);
    const { limiter, metrics } = this.deps;
    const caller = `${kind}:${who}`;
    const decide = (allowance: Allowance | undefined) => {
      if (allowance === undefined) metrics.rateLimitUnavailable.inc();
      else describe(reply, kind, limit, allowance);
      if (allowance?.isWithin !== false) return next(undefined);
      metrics.rateLimited.inc({ limit: kind });
      next(tooManyRequests(kind, limit, allowance));
    };
    const known = limiter.count(caller);
    if (known !== undefined) decide(known);
    else void limiter.ask(caller, limit).then(decide);
  }
}

/** The fields of draft-ietf-httpapi-ratelimit-headers (from 08 on): the policy, and what is left of it. */
function describe(reply: FastifyReply, kind: Kind, limit: number, { left, endsInMs }: Allowance): void {
  void reply
    .header('ratelimit-policy', `"${kind}";q=${limit};w=${WINDOW_MS / 1000}`)
    .header('ratelimit', `"${kind}";r=${left};t=${Math.ceil(endsInMs / 1000)}`);
}

function tooManyRequests(kind: Kind, limit: number, { endsInMs }: Allowance): Problem {
  const whose = kind === 'principal' ? 'The owner of this key' : 'Whoever sends no good key';
  const from = kind === 'principal' ? '' : ' from one address';
  // By then it has ended in Redis, too.
  const retryAfterSeconds = Math.ceil((endsInMs + ASK_MS) / 1000);
  const detail = `${whose} may send ${limit} requests a minute${from}: try again in ${retryAfterSeconds} s.`;
  return new Problem('too-many-requests', detail, { retryAfterSeconds });
}

/** An IPv6 client has a network of its own, with 2^64 addresses: it is known by that. */
export function networkOf(ip: string | undefined): string {
  // A proxy can forward any text, and a socket of Unix has no address.
  const bare = ip?.replace(/%.*/s, ''); // without the zone of a link-local address
  if (bare === undefined || isIP(bare) === 0) return 'unknown';
  const address = ipaddr.process(bare);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const network = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}
