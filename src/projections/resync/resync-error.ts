import type { Outcome } from './next-task';

/** A resync cannot be carried out, or cannot go on. The message is all that an operator needs. */
export class ResyncError extends Error {
  override readonly name = 'ResyncError';

  constructor(
    readonly outcome: Exclude<Outcome, 'done'>,
    message: string,
  ) {
    super(message);
  }
}
