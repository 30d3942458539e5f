import { Problem } from '../domain/problems';
import { formatMinor, type Minor } from '../domain/money';
import { safeId } from '../mysql/pool';
import { failureOf } from '../mysql/failures';
import { toDatetime } from '../mysql/time';
import type { CommandIdentity } from './writer/identity';
import type { Receipt } from './writer/receipts';
import type { Writer } from './writer/writer';

/**
 * Adds a product to the catalogue.
 * @throws Problem `sku-taken`, and those of the writer.
 */
export async function createProduct(
  writer: Writer,
  input: { name: string; sku: string; price: Minor },
  identity: CommandIdentity,
  now: string,
): Promise<Receipt> {
  return writer.execute({
    identity,
    now,
    async write(session) {
      try {
        const { insertId } = await session.write(
          'INSERT INTO products (name, sku, price, created_at) VALUES (?, ?, ?, ?)',
          [input.name, input.sku, formatMinor(input.price), toDatetime(now)],
        );
        return [{ type: 'ProductAdded', productId: safeId(insertId), name: input.name, sku: input.sku }];
      } catch (error) {
        if (failureOf(error) !== 'duplicate') throw error;
        throw new Problem('sku-taken', `Another product has the SKU ${input.sku}.`, { cause: error });
      }
    },
  });
}
