import { runCli } from './cli';
import type { Place } from './place';

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A key, as an operator makes it. */
export async function newKey(
  { env }: Pick<Place, 'env'>,
  name: string,
  scopes: readonly string[],
): Promise<string> {
  const { output } = await runCli(['key', 'create', name, '--scopes', scopes.join(',')], env);
  return tokenIn(output);
}

export function tokenIn(output: string): string {
  const [token] = /tally_[0-9a-f]{12}_[\w-]{43}/.exec(output) ?? [];
  if (token === undefined) throw new Error(`no token in: ${output}`);
  return token;
}

/** The public digits of a token. */
export const digitsOf = (token: string) => token.slice(6, 18);
