import { Random } from '../../torture/random';

const MIN_PRICE_MINOR = 100;
const MAX_PRICE_MINOR = 10_000;
const MAX_QUANTITY = 5;
const UNIFORM_MAX = 0x7fffffff;

export interface ShopLine {
  productId: number;
  quantity: number;
}

/** Users and products that a seed fixes, and how they buy: any user as often as any other, products by Zipf's law. */
export class Shop {
  /** By id, from 1; in cents. */
  readonly pricesMinor: number[];
  /** Product ids, the one that sells best first: which id that is, is chance. */
  private readonly byRank: number[];
  /** How much of all sales the products up to a rank make. */
  private readonly cumulative: Float64Array;

  constructor(
    readonly users: number,
    readonly products: number,
    /** Fixes the catalogue. */
    catalogue: Random,
    /** Fixes the orders. */
    private readonly random: Random,
  ) {
    this.pricesMinor = Array.from({ length: products + 1 }, () =>
      catalogue.int(MIN_PRICE_MINOR, MAX_PRICE_MINOR),
    );
    this.byRank = catalogue.shuffled(Array.from({ length: products }, (_, index) => index + 1));
    const weights = Float64Array.from(this.byRank, (_, index) => 1 / (index + 1));
    const sum = weights.reduce((a, b) => a + b, 0);
    let share = 0;
    this.cumulative = weights.map((weight) => (share += weight / sum));
  }

  userId(): number {
    return this.random.int(1, this.users);
  }

  /** Two lines of different products. */
  lines(): [ShopLine, ShopLine] {
    const first = this.productId();
    let second = first;
    while (second === first) second = this.productId();
    return [this.line(first), this.line(second)];
  }

  /** The body of a `POST /orders`. */
  body(): string {
    const items = this.lines().map(({ productId, quantity }) => ({ product_id: productId, quantity }));
    return JSON.stringify({ user_id: this.userId(), items });
  }

  private line(productId: number): ShopLine {
    return { productId, quantity: this.random.int(1, MAX_QUANTITY) };
  }

  private productId(): number {
    const share = this.random.int(0, UNIFORM_MAX) / UNIFORM_MAX;
    let low = 0;
    let high = this.products - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.cumulative[middle] ?? 1) < share) low = middle + 1;
      else high = middle;
    }
    return this.byRank[low] ?? 1;
  }
}
