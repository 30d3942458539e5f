import { Problem } from '../../domain/problems';

/** Failures in a row that are no coincidence. */
const ENOUGH = 3;
/** Whom nobody asks for anything can only be asked again. */
const FORGET_MS = 30_000;

/** Whether commands can be carried out, by what became of the last ones. */
export class WriteHealth {
  private failures = 0;
  private failedAt = 0;
  private reason = '';

  succeeded(): void {
    this.failures = 0;
  }

  /** @param error with which a command ended. A refusal says nothing of MySQL's health. */
  failed(error: unknown): void {
    if (error instanceof Problem && error.status < 500) return;
    this.failures += 1;
    this.failedAt = performance.now();
    this.reason =
      error instanceof Problem ? error.detail : 'something unexpected went wrong; the log has the details';
  }

  /** Why the last commands failed; undefined where they did not. */
  get trouble(): string | undefined {
    const ago = performance.now() - this.failedAt;
    if (this.failures < ENOUGH || ago > FORGET_MS) return undefined;
    return `the last ${this.failures} failed, ${Math.round(ago / 1000)} s ago: ${this.reason}`;
  }
}
