/**
 * The only file that spells key names. All keys of a generation share the hash tag `{prefix:generation}`, so that one
 * script may touch them all, on a cluster too.
 */

/** Raised when the meaning of a key changes: releases with different models run side by side, each with its pointer. */
const MODEL_VERSION = 1;

/** Ids per set of `orders:<block>`: the most that Redis keeps in its compact integer encoding by default. */
const BLOCK_SIZE = 512;

/** Periods whose keys are remembered: years of days, in a few megabytes. */
const MAX_KNOWN_PERIODS = 5000;

interface PeriodKeys {
  sold: string;
  revenue: string;
  totals: string;
}

/** The names of one generation's keys. */
export class Keys {
  private readonly tag: string;
  private readonly orderPrefix: string;
  private readonly bookkeeping: Set<string>;
  /** Every event needs the keys of its day and month: making them anew each time was the greater part of projecting it. */
  private readonly known = new Map<Period | undefined, PeriodKeys>();

  constructor(
    readonly prefix: string,
    readonly generation: string,
  ) {
    this.tag = `{${prefix}:${generation}}`;
    this.orderPrefix = this.order('');
    this.bookkeeping = new Set([this.applied, this.writes, this.building, this.keeper, this.fence]);
  }

  /** Tip applied, as `position:command_id`; its absence means: not (or no longer) a complete model. */
  get applied(): string {
    return `${this.tag}:applied`;
  }

  /** How many writes were begun and ended; see `scripts/complete.lua`. */
  get writes(): string {
    return `${this.tag}:writes`;
  }

  /** While a generation is being filled: `token:next chunk`. */
  get building(): string {
    return `${this.tag}:building`;
  }

  /** Sign of life of whoever fills or retires the generation; expires. */
  get keeper(): string {
    return `${this.tag}:keeper`;
  }

  /** Token of a repair in progress; expires. Only its holder may apply meanwhile. */
  get fence(): string {
    return `${this.tag}:fence`;
  }

  /** Hash: the order as it was created. */
  order(orderId: number | string): string {
    return `${this.tag}:order:${orderId}`;
  }

  /** Sorted set of the blocks that hold an order; score and member are the block's number. */
  get orderBlocks(): string {
    return `${this.tag}:orders`;
  }

  /** Set of the ids of the orders in a block. */
  orderBlock(block: number | string): string {
    return `${this.tag}:orders:${block}`;
  }

  /** Sorted set of a user's orders; score and member are the order's id. */
  userOrders(userId: number | string): string {
    return `${this.tag}:user:${userId}:orders`;
  }

  /** Hash: name. */
  user(userId: number | string): string {
    return `${this.tag}:user:${userId}`;
  }

  /** Hash: name, sku. */
  product(productId: number | string): string {
    return `${this.tag}:product:${productId}`;
  }

  /** Counter: units sold. */
  productSold(productId: number | string): string {
    return `${this.tag}:product:${productId}:sold`;
  }

  /** Ranking of users by what they spent, in minor units. */
  get usersSpent(): string {
    return `${this.tag}:users:spent`;
  }

  /** Ranking of products by `measure`, of all time or within one period. */
  productRanking(measure: 'sold' | 'revenue', period?: Period): string {
    return this.ofPeriod(period)[measure];
  }

  /** Hash: orders, units, revenue, of all time or within one period. */
  totals(period?: Period): string {
    return this.ofPeriod(period).totals;
  }

  private ofPeriod(period: Period | undefined): PeriodKeys {
    let keys = this.known.get(period);
    if (keys === undefined) {
      const products = `${this.tag}:${period === undefined ? '' : `${period}:`}products`;
      const totals = `${this.tag}:${period ?? 'totals'}`;
      keys = { sold: `${products}:sold`, revenue: `${products}:revenue`, totals };
      if (this.known.size >= MAX_KNOWN_PERIODS) this.known.clear();
      this.known.set(period, keys);
    }
    return keys;
  }

  /** Matches every key of the generation. */
  get pattern(): string {
    return `${escapeGlob(this.tag)}:*`;
  }

  /** Keys of the generation that are not part of the model. */
  isBookkeeping(key: string): boolean {
    return this.bookkeeping.has(key);
  }

  /** The id of the order whose hash this key is; undefined for any other key. */
  orderIdOf(key: string): number | undefined {
    return idIn(key, this.orderPrefix);
  }

  /** The product or user whose hash this key is; undefined for any other key. */
  catalogueSubjectOf(key: string): { kind: 'product' | 'user'; id: number } | undefined {
    const productId = idIn(key, this.product(''));
    if (productId !== undefined) return { kind: 'product', id: productId };
    const userId = idIn(key, this.user(''));
    return userId === undefined ? undefined : { kind: 'user', id: userId };
  }
}

/** The id in a key that is a prefix and an id, and nothing else. */
function idIn(key: string, prefix: string): number | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const text = key.slice(prefix.length);
  return /^[1-9]\d{0,15}$/.test(text) ? Number(text) : undefined;
}

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

/** Holds the id of the live generation of this model version. */
export function liveKey(prefix: string): string {
  return `${prefix}:live:${MODEL_VERSION}`;
}

/** Matches the pointers of all model versions. */
export function livePattern(prefix: string): string {
  return `${escapeGlob(prefix)}:live:*`;
}

/** When an instance of a model version was last seen, in seconds of Redis's clock. */
export function servingKey(prefix: string, version = MODEL_VERSION): string {
  return `${prefix}:serving:${version}`;
}

/** The model version of a live pointer, where it is lower than ours; else undefined. */
export function olderVersionOf(prefix: string, pointer: string): number | undefined {
  const version = Number(pointer.slice(`${prefix}:live:`.length));
  return version < MODEL_VERSION ? version : undefined;
}

/** Who is resyncing, and how far; expires. */
export function workKey(prefix: string): string {
  return `${prefix}:work:${MODEL_VERSION}`;
}

/** What the last verification found, as JSON. */
export function verificationKey(prefix: string): string {
  return `${prefix}:verification:${MODEL_VERSION}`;
}

/** Matches one or more keys of every generation. */
export function generationsPattern(prefix: string): string {
  return `{${escapeGlob(prefix)}:*}:*`;
}

/** The generation that a key belongs to; undefined for any other key. */
export function generationOf(prefix: string, key: string): string | undefined {
  const start = `{${prefix}:`;
  const end = key.indexOf('}');
  return key.startsWith(start) && end > start.length ? key.slice(start.length, end) : undefined;
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
export function rankingMember(id: number): string {
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
export function rankedId(member: string): number {
  return Number(member.slice(1));
}
