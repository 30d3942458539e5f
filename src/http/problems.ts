import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { errorCode, Problem, PROBLEMS, problemType, type ProblemSlug } from '../domain/problems';

/** Fastify's own errors → the catalogue. */
const BY_FASTIFY_CODE: Record<string, ProblemSlug> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid-request',
  FST_ERR_BAD_URL: 'invalid-request',
};

/** The one place where an error becomes an answer. */
export async function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const problem = toProblem(error);
  const { status } = problem;
  if (status >= 500) {
    const context = { err: problem.extras.cause ?? error, slug: problem.slug };
    if (problem.slug === 'internal-error')
      request.log.error(context, 'a request failed in a way that nobody foresaw');
    else request.log.warn(context, problem.detail);
  }
  const { retryAfterSeconds, errors, members } = problem.extras;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  // Serialized here: a problem has one form, whatever the route.
  await reply
    .code(status)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send({
      type: problemType(problem.slug),
      title: PROBLEMS[problem.slug].title,
      status,
      detail: problem.detail,
      instance: `urn:tally:request:${request.id}`,
      ...(errors === undefined ? {} : { errors }),
      ...members,
    });
}

export async function sendNotFound(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const problem = new Problem(
    'route-not-found',
    `There is no ${request.method} ${request.url.split('?')[0]}; see /docs.`,
  );
  await sendProblem(problem, request, reply);
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { name, validation, validationContext = 'request', message, statusCode } = error as FastifyError;
  if (validation !== undefined) {
    const errors = validation.map((issue) => ({
      field: issue.instancePath.replace(/^\//, '').replaceAll('/', '.') || validationContext,
      message: issue.message ?? 'is not valid',
    }));
    const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
    return new Problem('invalid-request', `The ${validationContext} is not valid: ${detail}.`, { errors });
  }
  const slug = BY_FASTIFY_CODE[errorCode(error) ?? ''];
  if (slug !== undefined) return new Problem(slug, message, { cause: error });
  if (name === 'SyntaxError') return new Problem('malformed-json', message, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new Problem('invalid-request', message, { cause: error });
  }
  return new Problem('internal-error', 'Something unexpected went wrong; the log has the details.', {
    cause: error,
  });
}
