import { isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import type { Directory } from '../access/directory';
import type { Config } from '../config';
import { isFromAnotherSite, SAFE_METHODS } from './cross-site';

/** What a proxy adds. */
const FORWARDING_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
];

/** Whether an address or name of this machine is one that others cannot reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === 'localhost' || name === '::1' || name === '[::1]';
}

/** Whether nobody needs a key: as long as nobody has been given access, and no provider gives it. */
export function areDoorsOpen(
  { ACCESS, OIDC_ISSUER }: Pick<Config, 'ACCESS' | 'OIDC_ISSUER'>,
  { isEmpty }: Pick<Directory, 'isEmpty'>,
): boolean {
  return ACCESS === 'auto' && OIDC_ISSUER === undefined && isEmpty;
}

/**
 * Why a request may come from somebody else than a program on this machine, although its connection does; undefined where
 * nothing says so. A proxy here forwards the requests of others. A page of the web can have a browser here ask for a name
 * of its own that leads to this machine (DNS rebinding), or send a request without looking at the answer.
 */
export function whyNotLocal(request: { method: string; headers: IncomingHttpHeaders }): string | undefined {
  const { headers } = request;
  const { host } = headers;
  // `[::1]:3000`, `localhost:3000`
  if (host !== undefined && !isLoopback(host.replace(/:\d+$/, ''))) return `it asks for the host ${host}`;
  const forwarding = FORWARDING_HEADERS.find((name) => headers[name] !== undefined);
  if (forwarding !== undefined) return `it was forwarded (${forwarding})`;
  const isChange = !SAFE_METHODS.has(request.method);
  const isNavigation = !isChange && headers['sec-fetch-mode'] === 'navigate';
  if (headers['sec-fetch-site'] === 'cross-site' && !isNavigation) return 'a page of another site sends it';
  // Browsers that do not know Sec-Fetch-Site.
  if (headers['sec-fetch-site'] === undefined && isChange && isFromAnotherSite(request))
    return `a page of ${headers.origin} sends it`;
  return undefined;
}
