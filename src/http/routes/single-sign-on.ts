import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { putIdentity } from '../../access/people';
import type { SingleSignOn } from '../../access/single-sign-on';
import { Problem } from '../../domain/problems';
import { routeNotFound } from '../problems';
import { route } from '../route';
import type { App } from '../server';
import { notDone, type SessionRouteDeps } from './sessions';

/** Where to go after the login: on this service, whatever is in the link that somebody was sent. */
const localPath = z
  .string()
  .regex(/^\/([\x21-.0-[\]-~][\x21-~]{0,499})?$/, 'must be a path of this service')
  .default('/');

/** Logging in at a provider. For browsers, and no part of the API. */
export function singleSignOnRoutes(app: App, deps: SessionRouteDeps): void {
  const { sessions, directory, database, accessLog, singleSignOn } = deps;

  route(app, 'GET /session/oidc', {
    schema: { hide: true, querystring: z.strictObject({ return_to: localPath }) },
    handler: async (request, reply) => {
      const { return_to: returnTo } = request.query;
      // A link on any page leads here: it must log nobody out.
      if (sessions.isLoggedIn(request)) return reply.redirect(returnTo);
      const { url, login } = await provider(request).begin(returnTo);
      await sessions.beginLogin(request, login);
      return reply.redirect(url);
    },
  });

  route(app, 'GET /session/oidc/callback', {
    schema: { hide: true },
    handler: async (request, reply) => {
      const { login } = request.session;
      const signOn = provider(request);
      const refused = (reason: string) =>
        accessLog.note({ what: 'login-refused', reason, address: request.ip });
      if (login === undefined) {
        refused('not-begun');
        throw new Problem(
          'login-failed',
          'This login has not begun in this browser, or took longer than 10 minutes.',
        );
      }
      const query = new URL(request.url, 'http://tally').search;
      const identity = await signOn.finish(query, login).catch((error: unknown) => {
        if (error instanceof Problem) refused(error.slug);
        throw error;
      });
      const known = await putIdentity(database, directory, identity).catch((error: unknown) => {
        throw notDone(error);
      });
      const person = directory.principal(known);
      if (person?.kind !== 'person' || person.role === undefined) {
        refused('forbidden');
        throw new Problem('forbidden', 'The provider gives you no role of Tally.');
      }
      await sessions.begin(request, person);
      accessLog.note({ what: 'logged-in', principalId: person.id, address: request.ip });
      return reply.redirect(login.returnTo);
    },
  });

  /** @throws Problem `route-not-found` */
  function provider(request: FastifyRequest): SingleSignOn {
    return singleSignOn ?? routeNotFound(request);
  }
}
