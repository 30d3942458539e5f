import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifySchema, RawServerDefault, RouteGenericInterface, RouteOptions } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { isPermission, type Permission } from '../access/permissions';
import { problemResponses } from './problems';
import type { App } from './server';

/**
 * `open`: everybody. `login`: everybody, and counted for the address. `docs` and `metrics`: as `PUBLIC_ROUTES` says. `caller`: who says who he is, whatever he may do.
 * `session`: a person who is logged in. Else the permission that a caller needs.
 */
export type Access = 'open' | 'login' | 'docs' | 'metrics' | 'caller' | 'session' | Permission;

/**
 * Every route of the API, and who may call it. A route that is not here cannot be added; the OpenAPI document, the README's
 * table and the test of every route with every kind of caller are made of it.
 */
export const ROUTES = {
  'POST /orders': 'orders:write',
  'DELETE /orders/:id': 'orders:write',
  'GET /orders/:id': 'reports:read',
  'GET /orders': 'reports:read',

  'GET /orders/reports/best-sellers': 'reports:read',
  'GET /orders/reports/highest-spenders': 'reports:read',
  'GET /orders/reports/sales': 'reports:read',
  'GET /orders/reports/summary': 'reports:read',
  'GET /products/:id/sales': 'reports:read',

  'POST /products': 'catalogue:write',
  'DELETE /products/:id': 'catalogue:write',
  'GET /products/:id': 'reports:read',
  'GET /products': 'reports:read',
  'POST /users': 'catalogue:write',
  'DELETE /users/:id': 'catalogue:write',
  'POST /users/:id/erasure': 'admin',
  'GET /users/:id': 'reports:read',
  'GET /users': 'reports:read',

  'POST /session': 'login',
  'GET /session': 'caller',
  'DELETE /session': 'session',
  'GET /session/oidc': 'login',
  'GET /session/oidc/callback': 'login',
  'GET /sessions': 'session',
  'DELETE /sessions/:id': 'session',

  'GET /health-check': 'open',
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /read-model': 'reports:read',
  'GET /audit': 'admin',
  'GET /metrics': 'metrics',
  'GET /openapi.json': 'docs',
  'GET /': 'open',
} as const satisfies Record<`${Method} /${string}`, Access>;

type Method = 'GET' | 'POST' | 'DELETE';

export type RouteName = keyof typeof ROUTES;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. */
    access?: Access;
  }
}

type Handler<S extends FastifySchema> = RouteOptions<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  RouteGenericInterface,
  unknown,
  S,
  ZodTypeProvider
>['handler'];

/** Adds a route of the table; its description says what it takes to call it. */
export function route<S extends FastifySchema>(
  app: App,
  name: RouteName,
  { schema, handler }: { schema: S; handler: Handler<S> },
): void {
  const [method = '', url = ''] = name.split(' ');
  const access: Access = ROUTES[name];
  app.route({ method, url, schema: described(schema, access), handler, config: { access } });
}

/** As a type it stays the same schema: what is added only the OpenAPI document reads. */
function described<S extends FastifySchema>(schema: S, access: Access): S {
  if (access === 'open' || access === 'login') return schema;
  const scopes = isPermission(access) ? [access] : [];
  return {
    ...schema,
    security: [...(access === 'session' ? [] : [{ key: scopes }]), { session: scopes }],
    response: {
      ...problemResponses(['unauthenticated', 'forbidden', 'not-local', 'too-many-requests'], []),
      ...Object(schema.response),
    },
  };
}
