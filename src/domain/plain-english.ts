import { z } from 'zod';

type Issue = Parameters<z.core.$ZodErrorMap>[0];

const NAMES: Partial<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  array: 'a list',
  object: 'an object',
  boolean: 'true or false',
};

const FORMATS: Partial<Record<string, string>> = {
  email: 'must be an email address',
  date: 'must be a day like 2026-11-01',
};

const UNITS: Partial<Record<string, string>> = { string: 'characters', array: 'items' };

/**
 * What is wrong with a value, in words for whoever sent it. Schemas say it themselves where they know better; of all other
 * issues zod speaks of its own types ("expected int, received NaN").
 */
export function plainEnglish(issue: Issue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${NAMES[issue.expected] ?? issue.expected}`;
    case 'invalid_union':
      return issue.input === undefined ? 'is required' : undefined;
    case 'too_small':
      return `must ${sizeOf(issue.origin, issue.inclusive === false ? 'above' : 'at least', issue.minimum)}`;
    case 'too_big':
      return `must ${sizeOf(issue.origin, 'at most', issue.maximum)}`;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    case 'invalid_format':
      return FORMATS[issue.format];
    case 'unrecognized_keys':
      return `does not take ${issue.keys.join(', ')}`;
    case 'custom':
    case 'invalid_element':
    case 'invalid_key':
    case 'not_multiple_of':
      return undefined;
  }
}

function sizeOf(origin: string, bound: string, size: number | bigint): string {
  const unit = UNITS[origin];
  if (unit === undefined) return `be ${bound} ${size}`;
  return `have ${bound} ${size} ${Number(size) === 1 ? unit.slice(0, -1) : unit}`;
}

/** `1 user`, `2 users`; of a word whose plural has more than an s, `plural` is all of it. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}
