import type { FastifyBaseLogger } from 'fastify';
import { errorMessage } from '../domain/errors';
import type { Problem, ProblemSlug } from '../domain/problems';

const EVERY_MS = 1_000;

/**
 * Says in the log why requests failed. An outage fails thousands of them for one reason: of each problem one line a second
 * is logged, which says how many were left out since the one before.
 */
export class FailureLog {
  private readonly told = new Map<ProblemSlug, { at: number; leftOut: number }>();

  failed(log: FastifyBaseLogger, { slug, detail, extras }: Problem): void {
    const last = this.told.get(slug);
    const now = performance.now();
    if (last !== undefined && now - last.at < EVERY_MS) {
      last.leftOut += 1;
      return;
    }
    this.told.set(slug, { at: now, leftOut: 0 });
    const { cause } = extras;
    const more = last !== undefined && last.leftOut > 0 ? { leftOut: last.leftOut } : {};
    if (slug === 'internal-error')
      log.error({ err: cause, slug, ...more }, 'a request failed with an unexpected error');
    else if (slug === 'read-model-damaged') log.error({ err: cause, slug, ...more }, detail);
    else log.warn({ slug, ...(cause === undefined ? {} : { reason: errorMessage(cause) }), ...more }, detail);
  }
}
