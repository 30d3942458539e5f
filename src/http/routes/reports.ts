import { lastDays } from '../../queries/ranges';
import type { Handlers } from '../handlers';
import * as schemas from '../schemas';
import type { App } from '../server';

const PROBLEMS = schemas.problems(
  'invalid-request',
  'range-too-wide',
  'unknown-position',
  'sum-out-of-range',
  'read-model-unreachable',
  'read-model-building',
  'read-model-damaged',
  'read-model-behind',
  'read-model-contended',
);

const DEFAULT_SALES_DAYS = 30;

/** The sales reports, from Redis alone. Each states the position that it shows in `Tally-Position`. */
export function reportRoutes(app: App, handlers: Handlers): void {
  app.get(
    '/orders/reports/best-sellers',
    {
      schema: {
        tags: ['reports'],
        summary: 'The products that sold most, of all time or within a range of days',
        description: 'Ties are broken by ascending id. By revenue, products without revenue are not listed.',
        headers: schemas.readHeaders,
        querystring: schemas.bestSellersQuery,
        response: { 200: schemas.bestSellers, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { limit, by, from, to } = request.query;
      const range = from === undefined || to === undefined ? undefined : { from, to };
      const { position, value } = await handlers.bestSellers(
        { limit, by, range },
        { minPosition: request.headers['tally-min-position'] },
      );
      void reply.header('tally-position', position);
      return value;
    },
  );

  app.get(
    '/orders/reports/highest-spenders',
    {
      schema: {
        tags: ['reports'],
        summary: 'The users who spent most',
        headers: schemas.readHeaders,
        querystring: schemas.topQuery,
        response: { 200: schemas.highestSpenders, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { position, value } = await handlers.highestSpenders(request.query.limit, {
        minPosition: request.headers['tally-min-position'],
      });
      void reply.header('tally-position', position);
      return value;
    },
  );

  app.get(
    '/orders/reports/sales',
    {
      schema: {
        tags: ['reports'],
        summary: 'Sales by day or month, days and months without sales included',
        headers: schemas.readHeaders,
        querystring: schemas.salesQuery,
        response: { 200: schemas.salesReport, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { from, to, interval } = request.query;
      const range =
        from === undefined || to === undefined ? lastDays(DEFAULT_SALES_DAYS, Date.now()) : { from, to };
      const { position, value } = await handlers.sales(
        { ...range, interval },
        { minPosition: request.headers['tally-min-position'] },
      );
      void reply.header('tally-position', position);
      return value;
    },
  );

  app.get(
    '/orders/reports/summary',
    {
      schema: {
        tags: ['reports'],
        summary: 'All orders in four figures',
        headers: schemas.readHeaders,
        response: { 200: schemas.summary, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { position, value } = await handlers.summary({
        minPosition: request.headers['tally-min-position'],
      });
      void reply.header('tally-position', position);
      return value;
    },
  );
}
