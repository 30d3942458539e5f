import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Problem, PROBLEMS, problemType, type ProblemSlug } from '../domain/problems';
import type { FailureLog } from './failure-log';
import { SECURITY_HEADERS } from './security-headers';

const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    error: z.string().meta({ description: 'The same as `detail`, for clients that look here' }),
    instance: z.string().optional().meta({ description: 'The id of the request' }),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' });

/** What every route may answer. */
const COMMON: ProblemSlug[] = [
  'malformed-request',
  'request-timeout',
  'headers-too-large',
  'internal-error',
  'overloaded',
  'shutting-down',
];

/** The `response` schemas of these problems and of those that every route may answer, by status. */
export function problemResponses(slugs: readonly ProblemSlug[], common: readonly ProblemSlug[] = COMMON) {
  const byStatus = new Map<number, ProblemSlug[]>();
  for (const slug of new Set([...common, ...slugs])) {
    const { status } = PROBLEMS[slug];
    byStatus.set(status, [...(byStatus.get(status) ?? []), slug]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      { description: same.join(SEPARATOR), content: { [PROBLEM_JSON]: { schema: problem } } },
    ]),
  );
}

export const PROBLEM_JSON = 'application/problem+json';

/** Between the slugs in the description of a response. */
const SEPARATOR = ', ';

/** The problems of a response, from its description by `problemResponses`. */
export function problemsIn(description: string): ProblemSlug[] {
  return description.split(SEPARATOR).filter((text): text is ProblemSlug => text in PROBLEMS);
}

/**
 * What the document says of a response with these problems. Only the document: the schemas of the routes are compiled, and
 * the compiler cannot join the two schemas of the `allOf`.
 */
export function describeProblems(slugs: readonly ProblemSlug[], status: number) {
  const properties = {
    type: { type: 'string' as const, enum: slugs.map(problemType) },
    status: { type: 'integer' as const, enum: [status] },
  };
  return {
    schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, { type: 'object' as const, properties }] },
    examples: Object.fromEntries(slugs.map((slug) => [slug, { $ref: `#/components/examples/${slug}` }])),
  };
}

export function exampleOf(slug: ProblemSlug) {
  return { value: problemBody(slug, `${PROBLEMS[slug].title}.`) };
}

/** What every problem document says. */
function problemBody(slug: ProblemSlug, detail: string) {
  const { title, status } = PROBLEMS[slug];
  return { type: problemType(slug), title, status, detail, error: detail };
}

/** What Fastify calls the parts of a request → what HTTP calls them. */
const PARTS: Partial<Record<string, string>> = { params: 'path', querystring: 'query', headers: 'header' };

/** Fastify's own errors → the catalogue, and what to tell the client. */
const BY_FASTIFY_CODE: Partial<Record<string, [ProblemSlug, detail: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large', 'The body is larger than this service takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'Send JSON, as content type application/json.'],
  FST_ERR_CTP_INVALID_JSON_BODY: [
    'malformed-json',
    'The body is not valid JSON, or has a field __proto__ or constructor, which is never taken.',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed-json', 'The body is empty; it must be JSON.'],
  FST_ERR_BAD_URL: ['invalid-request', 'The path is not a valid URL.'],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid-request', 'A part of the path is too long.'],
};

/** The one place where an error becomes an answer. */
export async function sendProblem(
  error: FastifyError | Problem,
  request: FastifyRequest,
  reply: FastifyReply,
  failures: FailureLog,
): Promise<void> {
  const problem = error instanceof Problem ? error : problemOf(error);
  const { slug, status, detail, extras } = problem;
  if (status >= 500) failures.failed(request.log, problem);
  const { retryAfterSeconds, errors, members } = extras;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  // A problem looks the same on every route, so the route's own schema does not serialize it.
  await reply
    .code(status)
    // Again, because no hook runs for what Fastify itself refuses.
    .header('x-request-id', request.id)
    .headers(SECURITY_HEADERS)
    .type(PROBLEM_JSON)
    .serializer(JSON.stringify)
    .send({
      ...problemBody(slug, detail),
      instance: `urn:tally:request:${request.id}`,
      ...(errors === undefined ? {} : { errors }),
      ...members,
    });
}

/** Node's own errors, where a request does not become one → the catalogue. */
const BY_NODE_CODE: Partial<Record<string, ProblemSlug>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
};

/** The same for what is not even a request: the whole answer as text, after which the connection ends. */
export function rawProblem(code: string): { slug: ProblemSlug; text: string } {
  const slug = BY_NODE_CODE[code] ?? 'malformed-request';
  const { status, title } = PROBLEMS[slug];
  const detail = `${title} (${code}).`;
  const body = JSON.stringify(problemBody(slug, detail));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ];
  return { slug, text: `${head.join('\r\n')}\r\n\r\n${body}` };
}

/** @throws Problem `route-not-found` */
export function routeNotFound(request: FastifyRequest): never {
  const path = pathOf(request);
  const shown = path.length > LONGEST_SHOWN ? `${path.slice(0, LONGEST_SHOWN)}…` : path;
  throw new Problem('route-not-found', `There is no ${request.method} ${shown}; see /openapi.json.`);
}

/** The path that was asked for, without the query. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}

const LONGEST_SHOWN = 100;

/** What an error of Fastify, or one that nobody expected, means to the client. */
function problemOf(error: FastifyError): Problem {
  const { code, message, statusCode = 500, validation, validationContext = 'request' } = error;
  if (validation !== undefined) {
    const part = PARTS[validationContext] ?? validationContext;
    const errors = validation.map((issue) => ({
      field: issue.instancePath.replace(/^\//, '').replaceAll('/', '.') || part,
      message: issue.message ?? 'is not valid',
    }));
    const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
    return new Problem('invalid-request', `The ${part} is not valid: ${detail}.`, { errors });
  }
  const known = BY_FASTIFY_CODE[code];
  if (known !== undefined) return new Problem(...known, { cause: error });
  if (statusCode >= 400 && statusCode < 500) return new Problem('invalid-request', message, { cause: error });
  return new Problem('internal-error', 'Something unexpected went wrong; the log has the details.', {
    cause: error,
  });
}
