/**
 * The usual design on the same stack, made to keep the same report keys as Tally: one transaction a request, then its Redis
 * commands in one pipeline. Reports read those keys.
 */
import { serveUsual } from './usual-service';
import { addSale } from './usual-keys';

void serveUsual(addSale);
