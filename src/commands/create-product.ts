import { Problem } from '../domain/problems';
import { mapQuery, select, type Statement } from '../mysql/session';
import { insertNewProduct, type NewProduct } from '../mysql/tables/products';
import type { CommandKind } from './writer/command';

/** Adds a product to the catalogue. Refused with `sku-taken`. */
export const CREATE_PRODUCT: CommandKind<NewProduct, { isTaken: boolean }, Statement[], 'ProductAdded'> = {
  events: ['ProductAdded'],
  shares: false,

  lookUp([{ sku }]) {
    const taken = select('SELECT id FROM products WHERE sku = ?', [sku]);
    return mapQuery(taken, (rows) => ({ isTaken: rows.length > 0 }));
  },

  decide({ isTaken }, _accepted, product, now) {
    const { name, sku } = product;
    if (isTaken) return new Problem('sku-taken', `Another product has the SKU ${sku}.`);
    return {
      row: insertNewProduct(product, now),
      events: [{ body: { type: 'ProductAdded', name, sku }, subject: { inserted: 0 } }],
    };
  },

  write: ([insert]) => insert,
};
