import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Shop } from './shop';

/**
 * 365 days. They begin in the middle of a month, so that twelve months from the 15th to the 15th are all of them, and take
 * edge days at both ends.
 */
export const FIRST_DAY = '2024-07-15';
export const DAYS = 365;
const DAY_MS = 86_400_000;
const ROWS_PER_CHUNK = 2000;

/** Writes users.csv, products.csv, orders.csv and order_items.csv as `tally import` takes them; ids are in order of time. */
export async function writeCsv(directory: string, shop: Shop, orders: number): Promise<void> {
  await write(
    directory,
    'users.csv',
    'id,name,email',
    shop.users,
    (id) => `${id},User ${id},u${id}@example.com`,
  );
  await write(directory, 'products.csv', 'id,name,sku,price', shop.products, (id) =>
    [id, `Product ${id}`, `SKU-${id}`, priceText(shop, id)].join(','),
  );
  const startMs = Date.parse(FIRST_DAY);
  const items: string[] = [];
  await write(directory, 'orders.csv', 'id,user_id,created_at', orders, (id) => {
    for (const { productId, quantity } of shop.lines()) {
      items.push(`${id},${productId},${quantity},${priceText(shop, productId)}`);
    }
    const createdAt = new Date(startMs + Math.floor(((id - 1) * DAYS * DAY_MS) / orders)).toISOString();
    return `${id},${shop.userId()},${createdAt}`;
  });
  const header = 'order_id,product_id,quantity,unit_price';
  await write(directory, 'order_items.csv', header, items.length, (row) => items[row - 1] ?? '');
}

function priceText(shop: Shop, productId: number): string {
  return ((shop.pricesMinor[productId] ?? 0) / 100).toFixed(2);
}

async function write(
  directory: string,
  file: string,
  header: string,
  rows: number,
  row: (number: number) => string,
): Promise<void> {
  function* chunks() {
    yield `${header}\n`;
    for (let from = 1; from <= rows; from += ROWS_PER_CHUNK) {
      let chunk = '';
      for (let id = from; id < from + ROWS_PER_CHUNK && id <= rows; id++) chunk += `${row(id)}\n`;
      yield chunk;
    }
  }
  await pipeline(Readable.from(chunks()), createWriteStream(join(directory, file)));
}
