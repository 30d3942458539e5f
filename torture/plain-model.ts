/**
 * What the read model should be, computed in the plainest way from a list of orders. Shares no code with `src/`: key
 * names, formats and sums are spelled out again, so that a mistake there shows here.
 */
export interface PlainOrder {
  id: number;
  userId: number;
  createdAt: string;
  lines: { productId: number; quantity: number; unitCents: number }[];
}

export interface PlainShop {
  users: Map<number, { name: string }>;
  products: Map<number, { name: string; sku: string }>;
  orders: Map<number, PlainOrder>;
}

function totalCents(order: PlainOrder): number {
  return order.lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0);
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2);
}

/** All data keys of a generation, without its hash tag, in the form of `dumpRedis`. */
export function expectedKeys(shop: PlainShop): Record<string, unknown> {
  const keys: Record<string, unknown> = {};
  for (const [id, { name }] of shop.users) keys[`user:${id}`] = { name };
  for (const [id, { name, sku }] of shop.products) keys[`product:${id}`] = { name, sku };
  const orders = [...shop.orders.values()];
  for (const order of orders) {
    keys[`order:${order.id}`] = {
      id: String(order.id),
      user_id: String(order.userId),
      total_amount: euros(totalCents(order)),
      items_count: String(order.lines.length),
      items: order.lines.map((line) => `product_id:${line.productId},quantity:${line.quantity}`).join(';'),
      created_at: order.createdAt,
    };
    const block = Math.floor(order.id / 512);
    keys[`orders:${block}`] = [...((keys[`orders:${block}`] as number[]) ?? []), order.id].sort(
      (a, b) => a - b,
    );
    putScore(keys, 'orders', String(block), block);
    putScore(keys, `user:${order.userId}:orders`, String(order.id), order.id);
    addScore(keys, 'users:spent', member(order.userId), -totalCents(order));
  }
  const periods = (order: PlainOrder) => [
    '',
    `day:${order.createdAt.slice(0, 10)}`,
    `month:${order.createdAt.slice(0, 7)}`,
  ];
  for (const order of orders) {
    for (const period of periods(order)) {
      const totals = period === '' ? 'totals' : period;
      const start = period === '' ? '' : `${period}:`;
      addField(keys, totals, 'orders', 1);
      addField(keys, totals, 'units', sum(order.lines.map((line) => line.quantity)));
      addField(keys, totals, 'revenue', totalCents(order));
      for (const line of order.lines) {
        addScore(keys, `${start}products:sold`, member(line.productId), -line.quantity);
        addScore(keys, `${start}products:revenue`, member(line.productId), -line.quantity * line.unitCents);
        if (period === '') {
          const key = `product:${line.productId}:sold`;
          keys[key] = String(Number(keys[key] ?? 0) + line.quantity);
        }
      }
    }
  }
  return canonical(keys);
}

/** The id behind a digit that says how long it is: "5" → "05", "260" → "2260". */
function member(id: number): string {
  return `${String(id).length - 1}${id}`;
}

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function putScore(keys: Record<string, unknown>, key: string, name: string, score: number): void {
  ((keys[key] ??= {}) as Record<string, string>)[name] = String(score);
}

function addScore(keys: Record<string, unknown>, key: string, name: string, by: number): void {
  const map = (keys[key] ?? {}) as Record<string, string>;
  putScore(keys, key, name, Number(map[name] ?? 0) + by);
}

function addField(keys: Record<string, unknown>, key: string, field: string, by: number): void {
  addScore(keys, key, field, by);
}

/** Without zeros, and without what is empty then: neither exists in the read model. */
function canonical(keys: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(keys).flatMap(([key, value]): [string, unknown][] => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[key, value]];
    const counts = /(^|:)(products:|users:spent|totals$)|^(day|month):[\d-]+$/.test(key);
    const kept = Object.entries(value).filter(([, text]) => !counts || Number(text) !== 0);
    return kept.length === 0 ? [] : [[key, Object.fromEntries(kept)]];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
