import { z } from 'zod';
import { readiness, readModelStatus } from '../../projections/status';
import type { HttpContext } from '../context';
import { problemResponses } from '../problems';
import type { App } from '../server';

const health = z.object({ status: z.literal('ok') });

const metricsText = {
  description: 'Metrics',
  content: { 'text/plain': { schema: z.string() } },
};

const tags = ['operations'];
const problems = problemResponses([]);

/** What operators and their machines ask. */
export function operationsRoutes(app: App, context: HttpContext): void {
  const saysOk = (operationId: string, summary: string) => ({
    schema: { tags, operationId, summary, response: { 200: health, ...problems } },
    handler: () => ({ status: 'ok' as const }),
  });
  app.get('/health-check', saysOk('healthCheck', 'Says ok'));
  app.get('/health/live', saysOk('healthLive', 'The process is alive'));

  app.get(
    '/health/ready',
    {
      schema: {
        tags,
        operationId: 'healthReady',
        summary: 'Whether to send requests here, with the reason for each part',
        response: { ...problems, 200: readiness, 503: readiness },
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
        operationId: 'getReadModel',
        summary:
          'Which read model is live, how far behind it is, what the last verification found, what is going on',
        response: { 200: readModelStatus, ...problems },
      },
    },
    async () => context.readModelStatus(),
  );

  app.get(
    '/metrics',
    {
      schema: {
        tags,
        operationId: 'getMetrics',
        summary: 'Metrics in the Prometheus text format',
        response: { 200: metricsText, ...problems },
      },
    },
    async (_request, reply) => reply.type(context.metrics.contentType).send(await context.metrics.text()),
  );
}
