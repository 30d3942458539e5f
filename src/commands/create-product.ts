import { formatMinor, type Minor } from '../domain/money';
import { Problem } from '../domain/problems';
import { mapQuery, select, type Parameter } from '../mysql/session';
import { SET_INSERTED } from '../mysql/tables/inserted';
import { toDatetime } from '../mysql/time';
import type { CommandContext } from './context';
import type { CommandKind, Request } from './writer/command';
import type { Receipt } from './writer/receipts';

export interface CreateProduct {
  name: string;
  sku: string;
  price: Minor;
}

/**
 * Adds a product to the catalogue.
 * @throws Problem `sku-taken`, and those of the writer.
 */
export async function createProduct(
  { writer }: CommandContext,
  product: CreateProduct,
  request: Request,
): Promise<Receipt<'ProductAdded'>> {
  return writer.execute(CREATE_PRODUCT, product, request);
}

interface Facts {
  isTaken: boolean;
}

export const CREATE_PRODUCT: CommandKind<CreateProduct, Facts, Parameter[], 'ProductAdded'> = {
  events: ['ProductAdded'],
  shares: false,

  lookUp(inputs) {
    const taken = select('SELECT id FROM products WHERE sku IN (?)', [inputs.map(({ sku }) => sku)]);
    return mapQuery(taken, (rows) => ({ isTaken: rows.length > 0 }));
  },

  decide({ isTaken }, _accepted, { name, sku, price }, now) {
    if (isTaken) return new Problem('sku-taken', `Another product has the SKU ${sku}.`);
    return {
      row: [name, sku, formatMinor(price), toDatetime(now)],
      events: [{ body: { type: 'ProductAdded', name, sku }, subject: { inserted: 0 } }],
    };
  },

  write: (rows) => [
    { sql: 'INSERT INTO products (name, sku, price, created_at) VALUES ?', parameters: [rows] },
    { sql: SET_INSERTED },
  ],
};
