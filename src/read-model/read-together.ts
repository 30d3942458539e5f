import type { Redis } from '../redis/client';
import type { Keys } from './keys';
import { ReadingScript, type Absent, type Reading } from './reading-script';

/** A command that reads one key: its name, the key, further arguments. At most some hundred of those. */
export type ReadCommand = ['GET' | 'HMGET' | 'ZRANGE' | 'ZMSCORE', string, ...string[]];

/** A command's reply; that of a command with a single answer is a list of one. */
export type Reply = (string | Absent)[];

const script = new ReadingScript<Reply[]>(__dirname, 'read-together');

/** Replies in the order of the commands, all true at one position. */
export async function readTogether(
  redis: Redis,
  keys: Keys,
  commands: ReadCommand[],
): Promise<Reading<Reply[]>> {
  return script.run(
    redis,
    keys,
    commands.map(([, key]) => key),
    commands.flatMap(([name, , ...rest]) => [rest.length, name, ...rest]),
  );
}
