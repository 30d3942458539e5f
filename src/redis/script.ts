import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { errorMessage } from '../domain/errors';

type Argument = string | number;

/**
 * A Lua script. It is sent by its digest, and in full where Redis does not know it: EVAL needs nothing to be there, so a
 * SCRIPT FLUSH at any moment costs one round trip and never a failure.
 */
export class Script {
  private readonly sha: string;

  /** @param text the whole script, with the code that it shares with others. */
  constructor(private readonly text: string) {
    this.sha = createHash('sha1').update(text).digest('hex');
  }

  async run(redis: Redis, keys: string[], args: Argument[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!errorMessage(error).startsWith('NOSCRIPT')) throw error;
      return await redis.eval(this.text, keys.length, ...keys, ...args);
    }
  }
}

/**
 * A script made of `.lua` files of one folder, in this order; found from `src` and from `dist` alike, where the folder is
 * `__dirname`. `#!lua` makes Redis refuse the whole script when memory is full, instead of failing in the middle of it.
 */
export function loadScript(folder: string, names: string[], shebang = '#!lua'): Script {
  const texts = names.map((name) => readFileSync(join(folder, `${name}.lua`), 'utf8'));
  return new Script([shebang, ...texts].join('\n'));
}
