import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { parseTip, type Order, type Tip } from '../../domain/events';
import type { Database } from '../../mysql/pool';
import { digestOf, readDigest } from '../../read-model/digest';
import { describeContent, inspect, sameContent, type Content, type Slice } from '../../read-model/inspect';
import type { Keys } from '../../read-model/keys';
import { restore, takeLock, type ScriptedRedis } from '../../read-model/scripts';
import { ahead } from './ahead';
import { catchUp, GenerationLost } from '../projector/applier';
import { Expectation } from './expectation';
import { scan } from './generations';
import { withSnapshot, type Snapshot, type Unadopted } from './snapshot';
import type { Work } from './work';

/** What one script looks at, in about a millisecond. The unit is a member of a sorted set. */
const MAX_WEIGHT = 1000;
const KEY_WEIGHT = 10;
/** A block of the list of orders, all of it. */
const SET_WEIGHT = 100;
/** Digests asked for at a time. Redis computes all of them before it answers others. */
const MAX_ASKED = 3;
/** Findings that are kept with their values; all are counted, and told to `onFinding`. */
export const MAX_FINDINGS = 100;
const FENCE_TTL_MS = 5_000;
const REPAIR_ATTEMPTS = 5;
const FENCE_WAIT_MS = 100;

/** One key of the read model that did not hold what MySQL says. */
export interface Finding {
  key: string;
  expected: string;
  found: string;
  repaired: boolean;
}

export interface Verification {
  generation: string;
  /** Position up to which the model was verified. */
  position: number;
  orders: number;
  /** Keys that differed. */
  drift: number;
  repaired: number;
  /** The first of them. */
  findings: Finding[];
  unadopted: Unadopted[];
}

/**
 * Compares a generation with MySQL, key by key, beside live traffic and without heuristics.
 *
 * A snapshot at position P gives the expectation. Of each part of the read model Redis computes a digest, atomically
 * together with its own position A; the events (P, A] are projected onto the expectation; then the comparison is exact.
 * A part with another digest is read in full, and compared key by key in the same way. SCAN finds keys that
 * should not be there. With `repair`, what differs is set to the expectation by a script that demands that the model
 * still is at A; a fence keeps others from applying for that moment, which only helps it to succeed.
 * @throws GenerationLost
 */
export async function verify(
  redis: ScriptedRedis,
  database: Database,
  keys: Keys,
  options: { repair: boolean; work: Work; onFinding?: (finding: Finding) => void },
): Promise<Verification> {
  return withSnapshot(database, async (snapshot) => {
    const verifier = new Verifier(
      redis,
      database,
      keys,
      new Expectation(keys, database, snapshot.head),
      options,
    );
    return verifier.run(snapshot);
  });
}

class Verifier {
  private readonly findings: Finding[] = [];
  private readonly unadopted: Unadopted[] = [];
  /** Digests that were asked for and not looked at yet. */
  private readonly asked: { slices: Slice[]; answer: ReturnType<typeof readDigest> }[] = [];
  /** Keys that differed, and whether they were mended. */
  private readonly drifted = new Map<string, boolean>();

  constructor(
    private readonly redis: ScriptedRedis,
    private readonly database: Database,
    private readonly keys: Keys,
    private readonly expectation: Expectation,
    private readonly options: { repair: boolean; work: Work; onFinding?: (finding: Finding) => void },
  ) {}

  async run(snapshot: Snapshot): Promise<Verification> {
    const { work } = this.options;
    await work.progress({ phase: 'reading orders', total: snapshot.head.ordersLive });
    const unadopted = (subject: Unadopted) => void this.unadopted.push(subject);
    for await (const events of snapshot.catalogue(unadopted)) this.expectation.add(events);
    let orders = 0;
    for await (const page of ahead(snapshot.orders(unadopted))) {
      await this.checkOrders(page);
      orders += page.length;
      await work.progress({ done: orders });
    }
    await work.progress({ phase: 'comparing counters' });
    const checked = new Set<string>();
    const noted = function* (slices: Iterable<Slice>) {
      for (const slice of slices) {
        checked.add(slice.key);
        yield slice;
      }
    };
    await this.checkAll(noted(this.expectation.model.slices()));
    await work.progress({ phase: 'looking for strangers' });
    await this.checkStrangers(checked);
    return {
      generation: this.keys.generation,
      position: this.expectation.at.position,
      orders,
      drift: this.drifted.size,
      repaired: [...this.drifted.values()].filter(Boolean).length,
      findings: this.findings,
      unadopted: this.unadopted,
    };
  }

  private async checkOrders(page: Order[]): Promise<void> {
    this.expectation.beginPage(page);
    const slices = page.map(({ orderId }): Slice => ({ key: this.keys.order(orderId), type: 'hash' }));
    for await (const batch of inBatches(slices)) await this.ask(batch);
    // While Redis computes the digests.
    this.expectation.add(page.map((order) => ({ type: 'OrderCreated', order })));
    await this.settleAll();
    this.expectation.endPage();
  }

  /** Every key of the generation that was not compared yet: it is new, or it should not be there. */
  private async checkStrangers(checked: Set<string>): Promise<void> {
    const unknown = async function* (this: Verifier): AsyncGenerator<Slice> {
      for await (const key of scan(this.redis, this.keys.pattern)) {
        if (this.keys.isBookkeeping(key) || checked.has(key)) continue;
        const orderId = this.keys.orderIdOf(key);
        if (orderId === undefined) yield this.expectation.model.sliceOf(key);
        else if (!this.expectation.existedThroughout(orderId)) yield { key, type: 'hash' };
      }
    };
    await this.checkAll(unknown.call(this));
  }

  private async checkAll(slices: Iterable<Slice> | AsyncIterable<Slice>): Promise<void> {
    for await (const batch of inBatches(slices)) {
      await this.ask(batch);
      await this.options.work.progress({});
    }
    await this.settleAll();
  }

  /** Asks for the digest of slices; it is looked at later, so that Redis and we compute at the same time. */
  private async ask(slices: Slice[]): Promise<void> {
    if (this.asked.length >= MAX_ASKED) await this.settleOldest();
    const answer = readDigest(this.redis, this.keys, slices, (slice) => this.expectation.content(slice));
    answer.catch(() => undefined); // told when its turn comes
    this.asked.push({ slices, answer });
  }

  private async settleAll(): Promise<void> {
    while (this.asked.length > 0) await this.settleOldest();
  }

  /** In the order in which they were asked, since their positions go forward. */
  private async settleOldest(): Promise<void> {
    const oldest = this.asked.shift();
    if (oldest === undefined) return;
    const { applied, digest } = await oldest.answer;
    if (!(await this.isDigest(digest, applied, oldest.slices))) await this.compare(oldest.slices);
    await nextTurn(); // requests that this process serves come first
  }

  /** Whether it is the digest of what should be there at `applied`; false, too, where that cannot be told. */
  private async isDigest(digest: string, applied: string | null, slices: Slice[]): Promise<boolean> {
    const tip = applied === null ? undefined : parseTip(applied);
    if (tip === undefined || tip.position < this.expectation.at.position) return false;
    await this.expectation.advanceTo(tip);
    const expected = slices.map((slice) => this.expectation.content(slice));
    return digest === digestOf(slices, expected);
  }

  /** Compares slices in full. */
  private async compare(slices: Slice[]): Promise<void> {
    const { contents } = await this.look(slices);
    const wrong = slices.filter((slice, index) => !this.asExpected(slice, contents[index]));
    for (const slice of wrong) await this.examine(slice);
  }

  /** Reads slices, and brings the expectation to the position at which they were read. */
  private async look(slices: Slice[], fenceToken?: string): Promise<{ tip: Tip; contents: Content[] }> {
    for (;;) {
      const { applied, contents } = await inspect(this.redis, this.keys, slices);
      const tip = applied === null ? undefined : parseTip(applied);
      if (tip === undefined)
        throw new GenerationLost('missing', this.keys, 'it lost its applied during a verification');
      if (tip.position >= this.expectation.at.position) {
        await this.expectation.advanceTo(tip);
        return { tip, contents };
      }
      // Not caught up with our snapshot yet, or fallen back behind it: bring it forward.
      const onProgress = () => this.options.work.progress({});
      await catchUp(this.redis, this.database, this.keys, { fenceToken, onProgress });
    }
  }

  private asExpected(slice: Slice, found: Content | undefined): boolean {
    return found !== undefined && sameContent(this.expectation.content(slice), found);
  }

  /** A slice that differs: is it damaged, or did another program change MySQL? */
  private async examine(listed: Slice): Promise<void> {
    // A key that nothing was known of when it was listed may have come into being with an event since.
    const slice = listed.type === 'none' ? this.expectation.model.sliceOf(listed.key) : listed;
    const changed = await this.expectation.preferLog(slice.key);
    if (changed !== undefined) this.unadopted.push(changed);
    const suspect =
      changed === undefined ? await this.withStrangers(slice) : this.expectation.model.sliceOf(slice.key);
    const { contents } = await this.look([suspect]);
    const found = contents[0];
    if (found === undefined || this.asExpected(suspect, found)) return;
    const expected = this.expectation.content(suspect);
    const repaired = this.options.repair && (await this.mend(suspect));
    this.report({
      key: slice.key,
      expected: shorten(expected, found),
      found: shorten(found, expected),
      repaired,
    });
  }

  /** A slice of a sorted set, and the members of the set that should not be there: a wrong size is due to them. */
  private async withStrangers(slice: Slice): Promise<Slice> {
    if (slice.type !== 'zset' || (await this.redis.type(slice.key)) !== 'zset') return slice;
    const strangers = new Set<string>();
    let cursor = '0';
    do {
      const [next, flat] = await this.redis.zscan(slice.key, cursor, 'COUNT', 1000);
      cursor = next;
      for (let at = 0; at < flat.length; at += 2) {
        const member = flat[at] ?? '';
        if (this.expectation.scoreOf(slice.key, member) === null) strangers.add(member);
      }
    } while (cursor !== '0');
    return { ...slice, members: [...new Set([...slice.members, ...strangers])] };
  }

  /** A key that consists of several slices is one finding. */
  private report(finding: Finding): void {
    const earlier = this.drifted.get(finding.key);
    this.drifted.set(finding.key, (earlier ?? true) && finding.repaired);
    if (earlier !== undefined) return;
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
    this.options.onFinding?.(finding);
  }

  /** Sets a slice to what it should be, under a fence. False where others kept moving the model on. */
  private async mend(slice: Slice): Promise<boolean> {
    for (let attempt = 1; attempt <= REPAIR_ATTEMPTS; attempt++) {
      const token = randomUUID();
      if (!(await takeLock(this.redis, this.keys.fence, token, FENCE_TTL_MS))) {
        await delay(FENCE_WAIT_MS);
        continue;
      }
      try {
        const { tip, contents } = await this.look([slice], token);
        if (this.asExpected(slice, contents[0])) return true; // another repair was faster
        const content = this.expectation.content(slice);
        const { status } = await restore(this.redis, this.keys, tip, [{ key: slice.key, content }]);
        if (status === 'applied') return true;
      } finally {
        await this.redis.tallyReleaseIfMine(this.keys.fence, token);
      }
    }
    return false;
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
  return slice.type === 'zset' ? KEY_WEIGHT + slice.members.length : KEY_WEIGHT;
}

/** The content as text; of a sorted set only the members that differ. */
function shorten(content: Content, other: Content): string {
  if (content.type !== 'zset' || other.type !== 'zset') return describeContent(content);
  const differing = [...content.scores].filter(([member, score]) => other.scores.get(member) !== score);
  return describeContent({ ...content, scores: new Map(differing) });
}
