import { instantAt, orderId, productId, userId } from '../domain/ids';
import { totalOf, type Order, type OrderLine } from '../domain/order';
import type { ImportData } from './csv';

const USERS = 400;
const ORDERS = 5000;
const DAYS = 365;
const DAY_MS = 86_400_000;
/** Out of the way of what a newcomer has tried by hand. */
const FIRST_ID = 1001;

const FIRST_NAMES = 'Ada Alan Barbara Dennis Edsger Frances Grace Ken Margaret Niklaus'.split(' ');
const LAST_NAMES = 'Allen Dijkstra Hamilton Hopper Liskov Lovelace Ritchie Thompson Turing Wirth'.split(' ');
const GOODS =
  'Assam, Ceylon, Darjeeling, Earl Grey, Genmaicha, Jasmin, Lapsang, Oolong, Pu-Erh, Sencha'.split(', ');
const FORMS: { name: string; sku: string; price: bigint }[] = [
  { name: 'sample', sku: '25', price: 290n },
  { name: 'tin', sku: '100', price: 890n },
  { name: 'pack', sku: '250', price: 1750n },
  { name: 'crate', sku: '5000', price: 24900n },
];

/**
 * A plausible shop: 400 customers, 40 kinds of tea and 5,000 orders over the year before `today` (`YYYY-MM-DD`), some
 * products and customers much busier than others. The same for the same seed and day.
 */
export function demoData(seed: number, today: string): ImportData {
  const random = mulberry32(seed);
  const users = Array.from({ length: USERS }, (_, index) => {
    const first = FIRST_NAMES[index % FIRST_NAMES.length] ?? '';
    const last = LAST_NAMES[Math.floor(index / FIRST_NAMES.length) % LAST_NAMES.length] ?? '';
    return { id: userId(FIRST_ID + index), name: `${first} ${last}`, email: `demo-${index + 1}@example.com` };
  });
  const products = GOODS.flatMap((good, row) =>
    FORMS.map((form, column) => ({
      id: productId(FIRST_ID + row * FORMS.length + column),
      name: `${good}, ${form.name}`,
      sku: `DEMO-${good.replace(' ', '').toUpperCase()}-${form.sku}`,
      price: form.price + BigInt(row) * 10n,
    })),
  );
  const lastDay = Date.parse(today) - DAY_MS;
  const times = Array.from({ length: ORDERS }, () => lastDay - Math.floor(random() * DAYS * DAY_MS)).sort(
    (a, b) => a - b,
  );
  const orders = times.map((time, index): Order => {
    const lines = Array.from({ length: 1 + skewed(random, 4) }, (): OrderLine => {
      const product = products[skewed(random, products.length)] ?? products[0];
      if (product === undefined) throw new Error('a shop without products');
      return { productId: product.id, quantity: 1 + skewed(random, 6), unitPrice: product.price };
    });
    return {
      orderId: orderId(FIRST_ID + index),
      userId: userId(FIRST_ID + skewed(random, USERS)),
      total: totalOf(lines),
      createdAt: instantAt(time),
      lines,
    };
  });
  return { users, products, orders };
}

/** From 0 to `count` - 1, low ones more often. */
function skewed(random: () => number, count: number): number {
  return Math.floor(random() ** 2 * count);
}

/** A small seeded generator of numbers in [0, 1). Source: Tommy Ettinger's mulberry32, in the public domain. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
