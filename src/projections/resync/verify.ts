import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventOf } from '../../domain/events';
import type { Stated } from '../../domain/reconcile';
import type { Database } from '../../mysql/pool';
import type { Keys } from '../../read-model/keys';
import { scan } from '../../read-model/scan';
import {
  describeContent,
  digestOf,
  isSameContent,
  readDigest,
  type Content,
  type Slice,
} from '../../read-model/slices';
import type { Redis } from '../../redis/client';
import { ahead } from './ahead';
import { Comparison, type BringForward } from './comparison';
import { Expectation } from './expectation';
import type { OnProgress } from './resync-lease';
import { withSnapshot, type OutOfBandChange, type Snapshot } from './snapshot';
import type { Finding, StoredVerification } from './verification-store';

/** What one script looks at, in about a millisecond. The unit is a member of a sorted set. */
const MAX_WEIGHT = 1000;
const KEY_WEIGHT = 10;
/** A block of the list of orders, all of it. */
const SET_WEIGHT = 100;
/** Digests asked for at a time. Redis computes all of them before it answers others. */
const MAX_ASKED = 3;
/** Findings that are kept with their values; all are counted, and told to `onFinding`. */
export const MAX_FINDINGS = 100;

/** What a verification found, as it is stored; and every change of other programs, of which only the number is stored. */
export interface Verification extends Pick<
  StoredVerification,
  'generation' | 'position' | 'orders' | 'drift' | 'repaired' | 'findings'
> {
  outOfBand: OutOfBandChange[];
}

export interface VerifyOptions {
  /** Sets what differs to what it should be. */
  repair: boolean;
  /** Brings the generation forward to where the snapshot stands, or waits until others have done so. */
  bringForward: BringForward;
  progress: OnProgress;
  /** Ends the verification at once. */
  signal?: AbortSignal | undefined;
  onFinding?: ((finding: Finding) => void) | undefined;
}

/**
 * Compares a generation with MySQL, key by key, beside live traffic and without heuristics.
 *
 * A snapshot at position P gives the expectation. Of each part of the read model Redis computes a digest, atomically
 * together with its own position A; the events (P, A] are projected onto the expectation; then the comparison is exact.
 * A part with another digest is read in full, and compared key by key in the same way. SCAN finds unexpected keys. With
 * `repair`, what differs is set to the expectation by a script that demands that the model still is at A; a fencing lock
 * keeps others from applying for that moment, which only helps it to succeed.
 * @throws GenerationLost
 */
export async function verify(
  redis: Redis,
  database: Database,
  keys: Keys,
  options: VerifyOptions,
): Promise<Verification> {
  return withSnapshot(database, options.signal, async (snapshot) => {
    const expectation = new Expectation(keys, database, snapshot.head);
    return new Verifier(redis, keys, expectation, options).run(snapshot);
  });
}

class Verifier {
  private readonly comparison: Comparison;
  private readonly findings: Finding[] = [];
  private readonly outOfBand: OutOfBandChange[] = [];
  /** Digests that were asked for and not looked at yet. */
  private readonly asked: { slices: Slice[]; answer: ReturnType<typeof readDigest> }[] = [];
  /** Keys that differed, and whether they were repaired. */
  private readonly drifted = new Map<string, boolean>();

  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
    private readonly expectation: Expectation,
    private readonly options: VerifyOptions,
  ) {
    this.comparison = new Comparison(redis, keys, expectation, options.bringForward);
  }

  async run(snapshot: Snapshot): Promise<Verification> {
    const { progress } = this.options;
    progress({ phase: 'reading orders', total: snapshot.head.live.order });
    let orders = 0;
    for await (const page of ahead(snapshot.pages((change) => void this.outOfBand.push(change)))) {
      const created = page.flatMap((event) => (event.type === 'OrderCreated' ? [event] : []));
      await this.checkPage(page, created);
      orders += created.length;
      progress({ done: orders });
    }
    progress({ phase: 'comparing counters' });
    const checked = new Set<string>();
    const noted = function* (slices: Iterable<Slice>) {
      for (const slice of slices) {
        checked.add(slice.key);
        yield slice;
      }
    };
    await this.checkAll(noted(this.expectation.model.slices()));
    progress({ phase: 'looking for unexpected keys' });
    await this.checkAll(this.unchecked(checked));
    return {
      generation: this.keys.generation,
      position: this.expectation.at.position,
      orders,
      drift: this.drifted.size,
      repaired: [...this.drifted.values()].filter(Boolean).length,
      findings: this.findings,
      outOfBand: this.outOfBand,
    };
  }

  /** Compares the hashes of a page's orders; all else that a page adds is compared at the end. */
  private async checkPage(page: Stated[], created: EventOf<'OrderCreated'>[]): Promise<void> {
    this.expectation.beginPage(created);
    const slices = created.map(({ order }) => this.expectation.sliceOf(this.keys.order(order.orderId)));
    for await (const batch of inBatches(slices)) await this.ask(batch);
    // While Redis computes the digests.
    for (const event of page) this.expectation.add(event);
    await this.settleAll();
  }

  /** Every key of the generation that was not compared yet: it is new, or unexpected. */
  private async *unchecked(checked: Set<string>): AsyncGenerator<Slice> {
    for await (const key of scan(this.redis, this.keys.pattern)) {
      if (key === this.keys.checkpoint || checked.has(key)) continue;
      if (!this.expectation.isOfPage(key)) yield this.expectation.sliceOf(key);
    }
  }

  private async checkAll(slices: Iterable<Slice> | AsyncIterable<Slice>): Promise<void> {
    for await (const batch of inBatches(slices)) {
      await this.ask(batch);
      this.options.progress({});
    }
    await this.settleAll();
  }

  /** Asks for the digest of slices; it is looked at later, so that Redis and we compute at the same time. */
  private async ask(slices: Slice[]): Promise<void> {
    if (this.asked.length >= MAX_ASKED) await this.settleOldest();
    const answer = readDigest(this.redis, this.keys, slices);
    answer.catch(() => undefined); // thrown when its turn comes
    this.asked.push({ slices, answer });
  }

  private async settleAll(): Promise<void> {
    while (this.asked.length > 0) await this.settleOldest();
  }

  /** In the order in which they were asked, since their positions go forward. */
  private async settleOldest(): Promise<void> {
    const oldest = this.asked.shift();
    if (oldest === undefined) return;
    const { slices } = oldest;
    if (!(await this.isAsExpected(await oldest.answer, slices))) {
      for (const slice of await this.comparison.differing(slices)) await this.examine(slice);
    }
    await nextTurn(); // requests that this process serves come first
  }

  /** Whether it is the digest of what should be there; false, too, where that cannot be told. */
  private async isAsExpected(
    digest: Awaited<ReturnType<typeof readDigest>>,
    slices: Slice[],
  ): Promise<boolean> {
    if (digest === undefined || digest.at.position < this.expectation.at.position) return false;
    await this.expectation.advanceTo(digest.at);
    const expected = slices.map((slice) => this.expectation.content(slice));
    return digest.value === digestOf(slices, expected);
  }

  /** A slice that differs, or differed: events since may have made it another one. */
  private async examine(listed: Slice): Promise<void> {
    const { key } = listed;
    const slice =
      listed.type === 'zset' ? await this.comparison.withUnexpected(listed) : this.expectation.sliceOf(key);
    const found = await this.comparison.look(slice);
    const expected = this.expectation.content(slice);
    if (isSameContent(expected, found)) return;
    const repaired = this.options.repair && (await this.comparison.repair(slice));
    // Findings are kept and logged, where nobody would erase a name.
    const tell = this.keys.holdsName(key) ? withoutValues : shorten;
    this.report({ key, expected: tell(expected, found), found: tell(found, expected), repaired });
  }

  /** A key that consists of several slices is one finding. */
  private report(finding: Finding): void {
    const earlier = this.drifted.get(finding.key);
    this.drifted.set(finding.key, (earlier ?? true) && finding.repaired);
    if (earlier !== undefined) return;
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
    this.options.onFinding?.(finding);
  }
}

async function* inBatches(slices: Iterable<Slice> | AsyncIterable<Slice>): AsyncGenerator<Slice[]> {
  let batch: Slice[] = [];
  let weight = 0;
  for await (const slice of slices) {
    batch.push(slice);
    weight += weightOf(slice);
    if (weight < MAX_WEIGHT) continue;
    yield batch;
    batch = [];
    weight = 0;
  }
  if (batch.length > 0) yield batch;
}

function weightOf(slice: Slice): number {
  if (slice.type === 'set') return SET_WEIGHT;
  return slice.type === 'zset' ? KEY_WEIGHT + slice.names.length : KEY_WEIGHT;
}

/** The content as text; of a hash only its fields. */
function withoutValues(content: Content): string {
  if (content.type !== 'hash') return describeContent(content);
  const fields = Object.fromEntries(Object.keys(content.fields).map((name) => [name, '…']));
  return describeContent({ ...content, fields });
}

/** The content as text; of a sorted set only the members that differ. */
function shorten(content: Content, other: Content): string {
  if (content.type !== 'zset' || other.type !== 'zset') return describeContent(content);
  const differing = [...content.scores].filter(([member, score]) => other.scores.get(member) !== score);
  return describeContent({ ...content, scores: new Map(differing) });
}
