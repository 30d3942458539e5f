import { z } from 'zod';
import { readiness, readModelStatus } from '../../projections/status';
import type { HttpContext } from '../context';
import { problemResponses } from '../problems';
import { route } from '../route';
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
  route(app, 'GET /health-check', saysOk('healthCheck', 'Says ok'));
  route(app, 'GET /health/live', saysOk('healthLive', 'The process is alive'));

  route(app, 'GET /health/ready', {
    schema: {
      tags,
      operationId: 'healthReady',
      summary: 'Whether to send requests here, with the reason for each part',
      response: { ...problems, 200: readiness, 503: readiness },
    },
    handler: async (_request, reply) => {
      const answer = await context.readiness();
      return reply.code(answer.status === 'ready' ? 200 : 503).send(answer);
    },
  });

  route(app, 'GET /read-model', {
    schema: {
      tags,
      operationId: 'getReadModel',
      summary:
        'Which read model is live, how far behind it is, what the last verification found, what is going on',
      response: { 200: readModelStatus, ...problems },
    },
    handler: async () => context.readModelStatus(),
  });

  route(app, 'GET /metrics', {
    schema: {
      tags,
      operationId: 'getMetrics',
      summary: 'Metrics in the Prometheus text format',
      response: { 200: metricsText, ...problems },
    },
    handler: async (_request, reply) =>
      reply.type(context.metrics.contentType).send(await context.metrics.text()),
  });
}
