import type { IncomingHttpHeaders } from 'node:http';

/** They change nothing, so it does not matter whose page has them sent. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Whether a browser says that a page of this very service sends a request. Browsers send cookies along with the requests of
 * other sites' pages, too; `Sec-Fetch-Site` and `Origin` are theirs, and no page can set them.
 */
export function isFromOwnPage({ headers }: { headers: IncomingHttpHeaders }): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin, host } = headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

/** Whether a browser says that a page of another site sends a request. Other programs say nothing. */
export function isFromAnotherSite(request: { headers: IncomingHttpHeaders }): boolean {
  const { headers } = request;
  return (headers['sec-fetch-site'] !== undefined || headers.origin !== undefined) && !isFromOwnPage(request);
}
