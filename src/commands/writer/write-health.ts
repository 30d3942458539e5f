import { Problem, type ProblemSlug } from '../../domain/problems';

/** Failures in a row that are no coincidence. */
const ENOUGH = 3;
/** Whom nobody asks for anything can only be asked again. */
const FORGET_MS = 30_000;

const OF_MYSQL = new Set<ProblemSlug>(['mysql-unreachable', 'mysql-unwritable', 'outcome-unknown']);

/** Whether commands can be carried out, by what became of the last ones. */
export class WriteHealth {
  private failures = 0;
  private failedAt = 0;
  private reason = '';

  succeeded(): void {
    this.failures = 0;
  }

  /** @param error with which a command ended. Most say nothing of MySQL: a refusal, or a row that somebody holds. */
  failed(error: unknown): void {
    if (!(error instanceof Problem) || !OF_MYSQL.has(error.slug)) return;
    const now = performance.now();
    if (now - this.failedAt > FORGET_MS) this.failures = 0;
    this.failures += 1;
    this.failedAt = now;
    this.reason = error.detail;
  }

  /** Why the last commands failed; undefined where they did not. */
  get trouble(): string | undefined {
    const ago = performance.now() - this.failedAt;
    if (this.failures < ENOUGH || ago > FORGET_MS) return undefined;
    return `the last ${this.failures} failed, ${Math.round(ago / 1000)} s ago: ${this.reason}`;
  }
}
