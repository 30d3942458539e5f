import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { formatLogPosition, type LogPosition } from '../../domain/log-position';
import { advance } from '../../read-model/advance';
import { releaseFence, takeFence } from '../../read-model/fence';
import type { Keys } from '../../read-model/keys';
import { repairOf } from '../../read-model/repair';
import { isSameContent, readContents, type Content, type Slice } from '../../read-model/slices';
import type { Redis } from '../../redis/client';
import { GenerationLost } from '../projector/generation-lost';
import type { Expectation } from './expectation';

const REPAIR_ATTEMPTS = 5;
const FENCE_WAIT_MS = 100;

/** Brings a generation forward to a position, or waits until others have; with the fencing lock, where it is held. */
export type BringForward = (to: LogPosition, fenceToken: string | undefined) => Promise<void>;

/** Compares slices in full with what they should be at the position at which they were read, and repairs them. */
export class Comparison {
  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
    private readonly expectation: Expectation,
    private readonly bringForward: BringForward,
  ) {}

  /** Those of the slices that are not what they should be. */
  async differing(slices: Slice[]): Promise<Slice[]> {
    const { contents } = await this.lookAt(slices);
    return slices.filter((slice, index) => {
      const found = contents[index];
      return found === undefined || !isSameContent(this.expectation.content(slice), found);
    });
  }

  /** What Redis holds in a slice; the expectation stands at the same position then. */
  async look(slice: Slice): Promise<Content> {
    const { contents } = await this.lookAt([slice]);
    return contents[0] ?? { type: 'other' };
  }

  /** A slice of a sorted set, with the members of the set that should not be there: a wrong size is due to them. */
  async withUnexpected(slice: Slice): Promise<Slice> {
    if (slice.type !== 'zset' || (await this.redis.type(slice.key)) !== 'zset') return slice;
    const unexpected = new Set<string>();
    let cursor = '0';
    do {
      const [next, flat] = await this.redis.zscan(slice.key, cursor, 'COUNT', 1000);
      cursor = next;
      for (let at = 0; at < flat.length; at += 2) {
        const member = flat[at] ?? '';
        if (this.expectation.scoreOf(slice.key, member) === null) unexpected.add(member);
      }
    } while (cursor !== '0');
    return { ...slice, names: [...new Set([...slice.names, ...unexpected])] };
  }

  /** Makes a slice what it should be, under the fencing lock. False where others kept moving the generation on. */
  async repair(slice: Slice): Promise<boolean> {
    const { redis, keys } = this;
    for (let attempt = 1; attempt <= REPAIR_ATTEMPTS; attempt++) {
      const fenceToken = randomUUID();
      if (!(await takeFence(redis, keys, fenceToken))) {
        await delay(FENCE_WAIT_MS);
        continue;
      }
      try {
        const { at, contents } = await this.lookAt([slice], fenceToken);
        const expected = this.expectation.content(slice);
        const found = contents[0] ?? { type: 'other' };
        if (isSameContent(expected, found)) return true; // another repair was faster
        const operations = repairOf(slice.key, expected, found);
        const here = formatLogPosition(at);
        const { status } = await advance(redis, keys, { expected: here, next: here, operations, fenceToken });
        if (status === 'advanced') return true;
      } finally {
        await releaseFence(redis, keys, fenceToken);
      }
    }
    return false;
  }

  /** Reads slices, and brings the expectation to the position at which they were read. */
  private async lookAt(
    slices: Slice[],
    fenceToken?: string,
  ): Promise<{ at: LogPosition; contents: Content[] }> {
    for (;;) {
      const reading = await readContents(this.redis, this.keys, slices);
      if (reading === undefined) {
        throw new GenerationLost('missing', this.keys, '', 'it lost its checkpoint during a verification');
      }
      const { at, value } = reading;
      if (at.position >= this.expectation.at.position) {
        await this.expectation.advanceTo(at);
        return { at, contents: value };
      }
      // Not caught up with our snapshot yet, or fallen back behind it.
      await this.bringForward(this.expectation.at, fenceToken);
    }
  }
}
