import { z } from 'zod';
import { readiness, readModelStatus } from '../../projections/status';
import type { HttpContext } from '../context';
import type { App } from '../server';

const health = z.object({ status: z.literal('ok') });

const tags = ['operations'];

/** What operators and their machines ask. */
export function operationsRoutes(app: App, context: HttpContext): void {
  const saysOk = (summary: string) => ({
    schema: { tags, summary, response: { 200: health } },
    handler: () => ({ status: 'ok' as const }),
  });
  app.get('/health-check', saysOk('Says ok'));
  app.get('/health/live', saysOk('The process is alive'));

  app.get(
    '/health/ready',
    {
      schema: {
        tags,
        summary: 'Whether to send requests here, with the reason for each part',
        response: { 200: readiness, 503: readiness },
      },
    },
    async (_request, reply) => {
      const answer = await context.readiness();
      return reply.code(answer.status === 'ready' ? 200 : 503).send(answer);
    },
  );

  app.get(
    '/read-model',
    {
      schema: {
        tags,
        summary:
          'Which read model is live, how far behind it is, what the last verification found, what is going on',
        response: { 200: readModelStatus },
      },
    },
    async () => context.readModelStatus(),
  );

  app.get(
    '/metrics',
    { schema: { tags, summary: 'Metrics in the Prometheus text format' } },
    async (_request, reply) => reply.type(context.metrics.contentType).send(await context.metrics.text()),
  );
}
