import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';

/** As short as a password may be. What is shorter stands in a log by chance, too. */
const SHORTEST_SECRET = 12;

/**
 * What the services of a test run say, and the secrets that its tests have, as files in one directory: `<name>.out` and
 * `<name>.secrets`. Each test file has a name of its own.
 */
export class Leaks {
  private readonly noted = new Set<string>();

  constructor(
    private readonly directory: string,
    private readonly name: string,
  ) {}

  /** A log, or an answer; or a piece of one. */
  output(text: string): void {
    appendFileSync(join(this.directory, `${this.name}.out`), text);
  }

  /** What may be in no output: a password, or a token, of which the secret part is enough for a leak. */
  secret(text: string): void {
    if (text.length < SHORTEST_SECRET || this.noted.has(text)) return;
    this.noted.add(text);
    appendFileSync(join(this.directory, `${this.name}.secrets`), `${text}\n`);
  }

  /** The secret parts of the headers of a request. */
  secretsOf({ authorization = '', cookie = '' }: IncomingHttpHeaders): void {
    const [, , token = ''] = /^Bearer +tally_(\w+)_(\S+)/i.exec(authorization) ?? [];
    this.secret(token);
    // A cookie is `<id>.<signature>`, with escapes; whoever logs it may undo them.
    for (const value of cookie.split('; ').map((text) => text.slice(text.indexOf('=') + 1))) {
      for (const form of [value, unescaped(value)]) for (const part of form.split('.')) this.secret(part);
    }
  }
}

/** The lines that hold a secret, as `file:line`; each secret is looked for in the outputs of all tests. */
export function leaksIn(directory: string): string[] {
  const files = readdirSync(directory).map((name) => ({
    name,
    text: readFileSync(join(directory, name), 'utf8'),
  }));
  const secrets = new Set(
    files
      .filter(({ name }) => name.endsWith('.secrets'))
      .flatMap(({ text }) => text.split('\n').filter(Boolean)),
  );
  return files
    .filter(({ name }) => name.endsWith('.out'))
    .flatMap(({ name, text }) => {
      const found = [...secrets].filter((secret) => text.includes(secret));
      if (found.length === 0) return [];
      return text
        .split('\n')
        .flatMap((line, index) =>
          found.some((secret) => line.includes(secret)) ? [`${join(directory, name)}:${index + 1}`] : [],
        );
    });
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // no cookie of Tally
  }
}
