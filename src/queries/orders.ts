/** An order as the read model shows it. */
export interface OrderView {
  order_id: number;
  user_id: number;
  total_amount: string;
  items_count: number;
  items: { product_id: number; quantity: number }[];
  created_at: string;
}

/** The fields of an order's hash, in the order in which they are read. */
export const ORDER_FIELDS = ['id', 'user_id', 'total_amount', 'items_count', 'items', 'created_at'] as const;

/** The values of `ORDER_FIELDS` → the order. */
export function orderView(row: string[]): OrderView {
  const [id = '', user_id = '', total_amount = '', items_count = '', items = '', created_at = ''] = row;
  return {
    order_id: Number(id),
    user_id: Number(user_id),
    total_amount,
    items_count: Number(items_count),
    items: parseItems(items),
    created_at,
  };
}

/** `product_id:10,quantity:1;product_id:15,quantity:3` → its lines. */
function parseItems(text: string): OrderView['items'] {
  if (text === '') return [];
  return text.split(';').map((line) => {
    const [product = '', quantity = ''] = line.split(',');
    return {
      product_id: Number(product.slice('product_id:'.length)),
      quantity: Number(quantity.slice('quantity:'.length)),
    };
  });
}
