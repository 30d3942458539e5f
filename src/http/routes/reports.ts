import { z } from 'zod';
import { productId } from '../../domain/ids';
import { bestSellers, readBestSellers } from '../../queries/best-sellers';
import { highestSpenders, readHighestSpenders } from '../../queries/highest-spenders';
import { productSales, readProductSales } from '../../queries/product-sales';
import { lastDays } from '../../queries/ranges';
import { readSales, sales, salesInterval } from '../../queries/sales';
import { readSummary, summary } from '../../queries/summary';
import type { HttpContext } from '../context';
import { readRoute } from '../read-route';
import { checkRange, idInUrl, limit, range, withRange } from '../requests';
import { route } from '../route';
import type { App } from '../server';

const DEFAULT_SALES_DAYS = 30;

const bestSellersQuery = z
  .strictObject({ limit: limit(10), by: z.enum(['quantity', 'revenue']).default('quantity'), ...range })
  .superRefine(checkRange)
  .transform(withRange);

const salesQuery = z
  .strictObject({ interval: salesInterval.default('day'), ...range })
  .superRefine(checkRange)
  .transform(withRange);

const tags = ['reports'];

/** The sales reports, from Redis alone. */
export function reportRoutes(app: App, { reader }: HttpContext): void {
  route(
    app,
    'GET /orders/reports/best-sellers',
    readRoute(
      {
        tags,
        operationId: 'bestSellers',
        summary: 'The products that sold most, of all time or within a range of days',
        description: 'Ties are broken by ascending id. By revenue, products without revenue are not listed.',
        querystring: bestSellersQuery,
        answer: bestSellers,
        problems: ['range-too-wide', 'read-model-contended'],
      },
      ({ query }, options) => readBestSellers(reader, query, options),
    ),
  );

  route(
    app,
    'GET /orders/reports/highest-spenders',
    readRoute(
      {
        tags,
        operationId: 'highestSpenders',
        summary: 'The users who spent most',
        querystring: z.strictObject({ limit: limit(10) }),
        answer: highestSpenders,
      },
      ({ query }, options) => readHighestSpenders(reader, query, options),
    ),
  );

  route(
    app,
    'GET /orders/reports/sales',
    readRoute(
      {
        tags,
        operationId: 'sales',
        summary: 'Sales by day or month, days and months without sales included',
        description: `Without a range: of the last ${DEFAULT_SALES_DAYS} days.`,
        querystring: salesQuery,
        answer: sales,
        problems: ['range-too-wide'],
      },
      ({ query: { interval, range = lastDays(DEFAULT_SALES_DAYS, Date.now()) } }, options) =>
        readSales(reader, { ...range, interval }, options),
    ),
  );

  route(
    app,
    'GET /orders/reports/summary',
    readRoute(
      {
        tags,
        operationId: 'summary',
        summary: 'All orders in four figures',
        querystring: z.strictObject({}),
        answer: summary,
      },
      (_request, options) => readSummary(reader, options),
    ),
  );

  route(
    app,
    'GET /products/:id/sales',
    readRoute(
      {
        tags,
        operationId: 'productSales',
        summary: 'What one product sold, of all time',
        params: z.strictObject({ id: idInUrl.transform(productId) }),
        answer: productSales,
        problems: ['product-not-found'],
      },
      ({ params }, options) => readProductSales(reader, params.id, options),
    ),
  );
}
