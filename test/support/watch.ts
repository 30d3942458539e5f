import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename } from 'node:path';
import type { Config } from '../../src/config';
import { Leaks } from './leaks';

const { TEST_OUTPUT = '' } = process.env;

/** Of this test file. The teardown of the run looks for leaks (global-teardown.ts). */
export const leaks = new Leaks(TEST_OUTPUT, basename(expect.getState().testPath ?? 'unknown'));

/** The secrets in the settings of a service. */
export function noteSettings({
  DATABASE_URL,
  REDIS_URL,
  SESSION_REDIS_URL,
  SESSION_SECRETS = [],
  OIDC_CLIENT_SECRET = '',
}: Config): void {
  for (const url of [DATABASE_URL, REDIS_URL, SESSION_REDIS_URL ?? '']) {
    const { password, searchParams } = new URL(url, 'redis://path-of-a-socket');
    for (const text of [password, searchParams.get('password') ?? '']) leaks.secret(text);
  }
  for (const secret of [...SESSION_SECRETS, OIDC_CLIENT_SECRET]) leaks.secret(secret);
}

/** What a command printed: secrets where it makes some, and else what may hold none. */
export function notePrinted([, verb = '']: string[], output: string): void {
  if (!['create', 'rotate', 'add', 'reset'].includes(verb)) return leaks.output(`${output}\n`);
  for (const [, secret = ''] of output.matchAll(/^(?:tally_\w{12}_)?([\w-]{43}|[\w-]{20})$/gm))
    leaks.secret(secret);
}

/** Every server of this process, whoever asks it: the secrets of its requests, and the bodies of its answers. */
function watchExchange(message: unknown): void {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  const [path = '', query = ''] = request.url?.split('?') ?? [];
  leaks.secretsOf(request.headers);
  leaks.secret(new URLSearchParams(query).get('code') ?? ''); // of single sign-on
  const end = response.end.bind(response);
  response.end = (...args: unknown[]) => {
    const [body] = args;
    if (typeof body === 'string') leaks.output(`${request.method} ${path} ${response.statusCode} ${body}\n`);
    return Reflect.apply(end, response, args);
  };
}

beforeAll(() => subscribe('http.server.request.start', watchExchange));
afterAll(() => unsubscribe('http.server.request.start', watchExchange));
