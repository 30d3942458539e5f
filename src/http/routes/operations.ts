import type { Metrics } from '../metrics';
import type { Handlers } from '../handlers';
import * as schemas from '../schemas';
import type { App } from '../server';

/** What operators and their machines ask. */
export function operationsRoutes(app: App, handlers: Handlers, metrics: Metrics): void {
  app.get(
    '/health-check',
    { schema: { tags: ['operations'], summary: 'Says ok', response: { 200: schemas.health } } },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/health/live',
    { schema: { tags: ['operations'], summary: 'The process is alive', response: { 200: schemas.health } } },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/health/ready',
    {
      schema: {
        tags: ['operations'],
        summary: 'Whether to send requests here, with the reason for each part',
        response: { 200: schemas.readiness, 503: schemas.readiness },
      },
    },
    async (_request, reply) => {
      const { checks, warnings } = await handlers.readiness();
      const ready = Object.values(checks).every(({ ok }) => ok);
      return reply.code(ready ? 200 : 503).send({
        status: ready ? ('ready' as const) : ('not-ready' as const),
        checks,
        warnings: [...warnings],
      });
    },
  );

  app.get(
    '/read-model',
    {
      schema: {
        tags: ['operations'],
        summary:
          'Which read model is live, how far behind, what the last verification found, what is going on',
        response: { 200: schemas.readModel },
      },
    },
    async () => handlers.readModelStatus(),
  );

  app.get(
    '/metrics',
    { schema: { tags: ['operations'], summary: 'Metrics in the Prometheus text format' } },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}
