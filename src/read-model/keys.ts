/**
 * The only file that spells the key names of the read model. All keys of a generation share the hash tag `{root:generation}`,
 * so that one script may touch them all.
 */
import {
  orderId,
  productId,
  userId,
  type LogId,
  type OrderId,
  type ProductId,
  type UserId,
} from '../domain/ids';

/** Enough of a log's id to tell all logs apart that will ever share a Redis, in names that repeat it millions of times. */
const LOG_DIGITS = 12;

/** Ids per set of `orders:<block>`: the most that Redis keeps in its compact integer encoding by default. */
const BLOCK_SIZE = 512;

/** Periods whose keys are remembered: years of days, in a few megabytes. */
const MAX_KNOWN_PERIODS = 5000;

interface PeriodKeys {
  sold: string;
  revenue: string;
  totals: string;
}

/**
 * The keys of one log's read model: those of its generations, and those beside them. Two databases on one Redis never meet,
 * because each has a log of its own.
 */
export class KeySpace {
  /** Every key begins with it, or with a hash tag that does. */
  readonly root: string;

  constructor(
    prefix: string,
    private readonly logId: LogId,
  ) {
    this.root = `${prefix}-${logId.slice(0, LOG_DIGITS)}`;
  }

  isOf(logId: LogId): boolean {
    return logId === this.logId;
  }

  /** The live pointer: the id of the live generation. */
  get live(): string {
    return `${this.root}:live`;
  }

  /** The lease of whoever resyncs, with how far it is; expires. */
  get lease(): string {
    return `${this.root}:resync`;
  }

  /** What the last verification found, as JSON. */
  get verification(): string {
    return `${this.root}:verification`;
  }

  /** Counts what a caller sends; expires. Of the log, since callers are of its database. */
  limit(caller: string): string {
    return `${this.root}:limit:${caller}`;
  }

  /** Matches every key of every generation. */
  get pattern(): string {
    return `{${escapeGlob(this.root)}:*}:*`;
  }

  generation(id: string): Keys {
    return new Keys(this.root, id);
  }

  /** The id of the generation that a key belongs to; undefined for any other key. */
  generationOf(key: string): string | undefined {
    const start = `{${this.root}:`;
    const end = key.indexOf('}');
    return key.startsWith(start) && end > start.length ? key.slice(start.length, end) : undefined;
  }
}

/** The names of one generation's keys. */
export class Keys {
  /** What every key of the generation begins with. */
  readonly prefix: string;
  private readonly orderPrefix: string;
  /** Every event needs the keys of its day and month: making them anew each time was the greater part of projecting it. */
  private readonly known = new Map<Period | undefined, PeriodKeys>();

  constructor(
    root: string,
    readonly generation: string,
  ) {
    this.prefix = `{${root}:${generation}}:`;
    this.orderPrefix = this.order('');
  }

  /** The only key that is not data; see `checkpoint.lua`. */
  get checkpoint(): string {
    return `${this.prefix}checkpoint`;
  }

  /** Hash: the order as it was created. */
  order(id: OrderId | ''): string {
    return `${this.prefix}order:${id}`;
  }

  /** Sorted set of the blocks that hold an order; score and member are the block's number. */
  get orderBlocks(): string {
    return `${this.prefix}orders`;
  }

  /** Set of the ids of the orders in a block. */
  orderBlock(block: number | ''): string {
    return `${this.prefix}orders:${block}`;
  }

  /** Sorted set of a user's orders; score and member are the order's id. */
  userOrders(id: UserId | ''): string {
    return `${this.prefix}user:${id}:orders`;
  }

  /** Hash: name. */
  user(id: UserId | ''): string {
    return `${this.prefix}user:${id}`;
  }

  /** Hash: name, sku. */
  product(id: ProductId | ''): string {
    return `${this.prefix}product:${id}`;
  }

  /** Counter: units sold. Other programs read it with GET. */
  productSold(id: ProductId): string {
    return `${this.prefix}product:${id}:sold`;
  }

  /** Ranking of users by what they spent, in minor units. */
  get usersSpent(): string {
    return `${this.prefix}users:spent`;
  }

  /** Ranking of products by `measure`, of all time or within one period. */
  productRanking(measure: Measure, period?: Period): string {
    return this.ofPeriod(period)[measure];
  }

  /** Hash: orders, units, revenue, of all time or within one period. */
  totals(period?: Period): string {
    return this.ofPeriod(period).totals;
  }

  private ofPeriod(period: Period | undefined): PeriodKeys {
    let keys = this.known.get(period);
    if (keys === undefined) {
      const products = `${this.prefix}${period === undefined ? '' : `${period}:`}products`;
      const totals = `${this.prefix}${period ?? 'totals'}`;
      keys = { sold: `${products}:sold`, revenue: `${products}:revenue`, totals };
      if (this.known.size >= MAX_KNOWN_PERIODS) this.known.clear();
      this.known.set(period, keys);
    }
    return keys;
  }

  /** Matches every key of the generation. */
  get pattern(): string {
    return `${escapeGlob(this.prefix)}*`;
  }

  /** The id of the order whose hash this key is; undefined for any other key. */
  orderIdOf(key: string): OrderId | undefined {
    if (!key.startsWith(this.orderPrefix)) return undefined;
    const text = key.slice(this.orderPrefix.length);
    return /^[1-9]\d{0,14}$/.test(text) ? orderId(Number(text)) : undefined;
  }

  /** Whether the key holds the name of a person. */
  holdsName(key: string): boolean {
    return key.startsWith(this.user('')) && !key.endsWith(':orders');
  }
}

/** What products are ranked by. */
export type Measure = 'sold' | 'revenue';

/** `day:2026-11-21` or `month:2026-11`, in UTC. */
export type Period = `day:${string}` | `month:${string}`;

export function dayOf(iso: string): Period {
  return `day:${iso.slice(0, 10)}`;
}

export function monthOf(iso: string): Period {
  return `month:${iso.slice(0, 7)}`;
}

export function blockOf(orderId: number): number {
  return Math.floor(orderId / BLOCK_SIZE);
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}

/**
 * The id of a product or user as a member of a ranking. Rankings are read in ascending order of the negated score, and
 * Redis orders equal scores by the bytes of the member: a length digit before the number makes that the order of the ids
 * ("15" < "260"), so ties are broken by ascending id, at the boundary of a top-N too. Source: the lexicographic encoding
 * of integers in rocicorp's zero-cache (`lexi-version`).
 */
export function rankingMember(id: ProductId | UserId): string {
  let member = knownMembers.get(id);
  if (member === undefined) {
    const digits = String(id);
    member = (digits.length - 1).toString(36) + digits;
    if (knownMembers.size >= MAX_KNOWN_MEMBERS) knownMembers.clear();
    knownMembers.set(id, member);
  }
  return member;
}

/** Of the busiest ids, so that the many rankings in the memory of a verification share one text of each. */
const knownMembers = new Map<number, string>();
const MAX_KNOWN_MEMBERS = 50_000;

/** The inverse of `rankingMember`. */
export function rankedProduct(member: string): ProductId {
  return productId(Number(member.slice(1)));
}

/** The inverse of `rankingMember`. */
export function rankedUser(member: string): UserId {
  return userId(Number(member.slice(1)));
}
