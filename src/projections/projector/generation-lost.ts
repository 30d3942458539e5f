import type { Keys } from '../../read-model/keys';

/**
 * Why a generation cannot be kept up any more.
 * - missing: it has no checkpoint, or half a write, or its checkpoint is no log position: Redis lost something.
 * - diverged: its checkpoint is of another history than the log.
 * - broken: an operation failed half-way.
 */
export type LossReason = 'missing' | 'diverged' | 'broken';

/** The generation is lost; nothing can be applied to it, and it must be rebuilt. */
export class GenerationLost extends Error {
  override readonly name = 'GenerationLost';

  constructor(
    readonly reason: LossReason,
    readonly keys: Keys,
    /** What its checkpoint is; '' where it has none. */
    readonly at: string,
    detail: string,
  ) {
    super(`generation ${keys.generation} is lost (${reason}): ${detail}`);
  }
}
