import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  attemptNotMade,
  attemptSucceeded,
  beginAttempt,
  isKnown,
  type Attempt,
} from '../../access/login-attempts';
import { isPassword } from '../../access/passwords';
import type { Person } from '../../access/principal';
import { Problem } from '../../domain/problems';
import { passwordOf } from '../../mysql/tables/passwords';
import { isFromAnotherSite } from '../cross-site';
import { networkOf } from '../rate-limits';
import { route } from '../route';
import type { App } from '../server';
import { caller, describeCaller, notDone, tags, withProblems, type SessionRouteDeps } from './sessions';

/** Says which name a browser has logged in with, for login-attempts.ts; signed. */
const BROWSER_COOKIE = 'tally_browser';
const BROWSER_MAX_AGE_S = 365 * 86_400;

/** Longer ones would cost the service more than the guesser. */
const login = z.strictObject({ name: z.string().min(1).max(64), password: z.string().min(1).max(200) });

/** Logging in with a name and a password. */
export function loginRoute(app: App, { sessions, directory, database, accessLog }: SessionRouteDeps): void {
  route(app, 'POST /session', {
    schema: {
      tags,
      operationId: 'logIn',
      summary: 'Log in; the session is a cookie',
      body: login.meta({ examples: [{ name: 'ada', password: 'correct horse battery staple' }] }),
      response: {
        201: caller,
        ...withProblems('invalid-request', 'wrong-login', 'too-many-logins', 'too-many-requests'),
      },
    },
    handler: async (request, reply) => {
      if (isFromAnotherSite(request))
        throw new Problem('cross-site', 'A page of another site sends this login.');
      const { name, password } = request.body;
      const attempt = { name, address: networkOf(request.ip), knownBrowser: knownBrowser(request) };
      const person = await checkedPerson(attempt, password).catch((error: unknown) => {
        if (error instanceof Problem) {
          accessLog.note({ what: 'login-refused', reason: error.slug, address: request.ip });
        }
        throw notDone(error);
      });
      await sessions.begin(request, person);
      rememberBrowser(request, reply, person);
      accessLog.note({ what: 'logged-in', principalId: person.id, address: request.ip });
      return reply.code(201).send(describeCaller(person));
    },
  });

  /** @throws Problem `wrong-login`, the same whether there is such a name or not. */
  async function checkedPerson(attempt: Attempt, password: string): Promise<Person> {
    await beginAttempt(database, attempt);
    const person = await directory.personAfterLook(attempt.name);
    const hash =
      person?.role === undefined
        ? undefined
        : await database.session((session) => session.ask(passwordOf(person.id)));
    const browser = isKnown(attempt) ? 'known' : 'unknown';
    const isRight = await isPassword(password, hash, browser).catch(async (error: unknown) => {
      await attemptNotMade(database, attempt);
      throw error;
    });
    if (!isRight || person === undefined) {
      throw new Problem('wrong-login', 'There is no person with this name and password.');
    }
    await attemptSucceeded(database, attempt);
    return person;
  }
}

function knownBrowser(request: FastifyRequest): string | undefined {
  const { valid, value } = request.unsignCookie(request.cookies[BROWSER_COOKIE] ?? '');
  return valid ? value : undefined;
}

function rememberBrowser(request: FastifyRequest, reply: FastifyReply, { name }: Person): void {
  void reply.setCookie(BROWSER_COOKIE, name, {
    path: '/session',
    signed: true,
    httpOnly: true,
    sameSite: 'strict',
    secure: request.protocol === 'https',
    maxAge: BROWSER_MAX_AGE_S,
  });
}
