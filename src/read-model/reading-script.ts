import { join } from 'node:path';
import { parseLogPosition, type LogPosition } from '../domain/log-position';
import type { Redis } from '../redis/client';
import { loadScript, type Script } from '../redis/script';
import type { Keys } from './keys';

/** One atomic reading: a value and the log position at which it is true. Undefined: the generation is not complete. */
export type Reading<T> = { at: LogPosition; value: T } | undefined;

/** The same reading of what `map` makes of its value. */
export function mapReading<T, U>(reading: Reading<T>, map: (value: T) => U): Reading<U> {
  return reading && { at: reading.at, value: map(reading.value) };
}

/** What a reading script says of a value that there is not: nil. */
export type Absent = false;

/** The whole number that a counter, a score or an id states; nil is zero. @throws RangeError for anything else. */
export function wholeNumber(text: string | Absent | undefined): number {
  const value = Number(text || 0);
  if (Number.isSafeInteger(value)) return value;
  throw new RangeError(`not a whole number: ${JSON.stringify(text)}`);
}

/** The amount that a score of a ranking states. Rankings hold negated amounts, so that ties are in ascending order. */
export function rankedAmount(score: string | Absent | undefined): number {
  return 0 - wholeNumber(score); // and not `-`, which would make a zero negative
}

/**
 * A script that reads one generation; it begins with `reading.lua`. It returns a JSON text: one string costs the client a tenth
 * of what the same as nested replies does. It is declared to write nothing, so Redis carries it out when its memory is full,
 * too.
 */
export class ReadingScript<T> {
  private readonly script: Script;

  /** @param name of the `.lua` file, which lies beside its caller. */
  constructor(folder: string, name: string) {
    const names = [join(__dirname, 'checkpoint'), join(__dirname, 'reading'), join(folder, name)];
    this.script = loadScript('', names, '#!lua flags=no-writes');
  }

  /** @param names the keys after the checkpoint. */
  async run(redis: Redis, keys: Keys, names: string[], args: (string | number)[]): Promise<Reading<T>> {
    const text = await this.script.run(redis, [keys.checkpoint, ...names], args);
    // The script's own contract, stated in its header.
    const [at, value] = JSON.parse(String(text)) as [string | Absent, T];
    const position = at === false ? undefined : parseLogPosition(at);
    return position && { at: position, value };
  }
}
