import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Problem } from '../domain/problems';
import type { App } from './server';

/** Takes JSON in UTF-8 alone, and says which part of anything else it does not take. */
export function takeJson(app: App): void {
  app.removeContentTypeParser('text/plain'); // Fastify's own
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const fault = faultOfHeaders(request.raw);
    if (fault !== undefined) return done(new Problem('unsupported-media-type', fault));
    // Replacement characters would be stored in place of what the client meant.
    if (!isUtf8(body)) return done(new Problem('malformed-json', 'The body is not valid UTF-8.'));
    // Clients that always send a content type may send it where there is no body to send.
    if (body.length === 0 && request.routeOptions.schema?.body === undefined) return done(null, undefined);
    return void parseJson(request, body.toString(), done);
  });
}

function faultOfHeaders({ headers, rawHeaders }: IncomingMessage): string | undefined {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return `A body with content-encoding ${encoding} is not taken: send it as it is.`;
  }
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    return `A body in ${charset} is not taken: send UTF-8.`;
  }
  // Node keeps the first of several.
  const types = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-type');
  return types.length > 1 ? 'The content type is given more than once.' : undefined;
}
