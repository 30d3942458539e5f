/** The usual design as it is usually shown: after the transaction only HSET of the order and INCRBY of what was sold. */
import type { Sale } from './usual-keys';
import { serveUsual } from './usual-service';
import { orderHash } from './usual-keys';
import type { ChainableCommander } from 'ioredis';

void serveUsual((pipeline: ChainableCommander, sale: Sale, sign: 1 | -1) => {
  if (sign === 1) pipeline.hset(`order:${sale.orderId}`, orderHash(sale));
  else pipeline.del(`order:${sale.orderId}`);
  for (const { productId, quantity } of sale.lines) {
    pipeline.incrby(`product:${productId}:sold`, sign * quantity);
  }
});
