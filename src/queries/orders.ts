/** An order as the read model shows it. */
export interface OrderView {
  order_id: number;
  user_id: number;
  total_amount: string;
  items_count: number;
  items: { product_id: number; quantity: number }[];
  created_at: string;
}

/** The fields of an order's hash → the order. */
export function orderView(fields: {
  id: string;
  user_id: string;
  total_amount: string;
  items_count: string;
  items: string;
  created_at: string;
}): OrderView {
  return {
    order_id: Number(fields.id),
    user_id: Number(fields.user_id),
    total_amount: fields.total_amount,
    items_count: Number(fields.items_count),
    items: parseItems(fields.items),
    created_at: fields.created_at,
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
