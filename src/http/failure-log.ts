import type { FastifyBaseLogger } from 'fastify';
import { errorMessage } from '../domain/errors';
import type { Problem, ProblemSlug } from '../domain/problems';

const EVERY_MS = 1_000;

/** Different reasons that are told apart. */
const MAX_REASONS = 100;

/** Of these, each reason deserves a line of its own. */
const FAULTS_OF_OURS = new Set<ProblemSlug>(['internal-error', 'read-model-damaged']);

/**
 * Says in the log why requests failed. An outage fails thousands of them for one reason: of each problem one line a second
 * is logged, which says how many were left out since the one before.
 */
export class FailureLog {
  private readonly told = new Map<string, { at: number; leftOut: number }>();

  failed(log: FastifyBaseLogger, problem: Problem): void {
    const { slug, detail, extras } = problem;
    const key = FAULTS_OF_OURS.has(slug) ? `${slug} ${errorMessage(extras.cause ?? problem)}` : slug;
    const last = this.told.get(key);
    const now = performance.now();
    if (last !== undefined && now - last.at < EVERY_MS) {
      last.leftOut += 1;
      return;
    }
    if (this.told.size >= MAX_REASONS) this.told.clear();
    this.told.set(key, { at: now, leftOut: 0 });
    const { cause } = extras;
    const more = last !== undefined && last.leftOut > 0 ? { leftOut: last.leftOut } : {};
    const err = cause ?? problem;
    if (slug === 'internal-error')
      log.error({ err, slug, ...more }, 'a request failed with an unexpected error');
    else if (slug === 'read-model-damaged') log.error({ err, slug, ...more }, detail);
    else log.warn({ slug, ...(cause === undefined ? {} : { reason: errorMessage(cause) }), ...more }, detail);
  }
}
