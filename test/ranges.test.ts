import { Problem } from '../src/domain/problems';
import { coverRange, intervalsOf, lastDays } from '../src/queries/ranges';

const range = (text: string) => {
  const [from = '', to = ''] = text.split(' to ');
  return { from, to };
};

describe('coverRange takes whole months, and days at the edges', () => {
  test.each([
    ['2026-03-01 to 2026-03-02', ['day:2026-03-01']],
    ['2026-03-01 to 2026-04-01', ['month:2026-03']],
    ['2026-01-01 to 2026-04-01', ['month:2026-01', 'month:2026-02', 'month:2026-03']],
    ['2026-01-30 to 2026-03-01', ['day:2026-01-30', 'day:2026-01-31', 'month:2026-02']],
    ['2026-02-01 to 2026-03-03', ['month:2026-02', 'day:2026-03-01', 'day:2026-03-02']],
    ['2025-12-31 to 2026-02-02', ['day:2025-12-31', 'month:2026-01', 'day:2026-02-01']],
    // A leap year, and a year that is none.
    ['2024-02-01 to 2024-02-29', days('2024-02', 1, 28)],
    ['2024-02-01 to 2024-03-01', ['month:2024-02']],
    ['2026-02-01 to 2026-02-28', days('2026-02', 1, 27)],
    // All but the last day, or the first.
    ['2026-04-01 to 2026-04-30', days('2026-04', 1, 29)],
    ['2026-04-02 to 2026-05-01', days('2026-04', 2, 30)],
  ])('%s', (text, periods) => {
    expect(coverRange(range(text))).toEqual(periods);
  });

  function days(month: string, first: number, last: number): string[] {
    return Array.from(
      { length: last - first + 1 },
      (_, index) => `day:${month}-${String(first + index).padStart(2, '0')}`,
    );
  }
});

describe('intervalsOf cuts a range', () => {
  test.each([
    [
      '2026-02-27 to 2026-03-02',
      'day',
      [
        ['2026-02-27', ['day:2026-02-27']],
        ['2026-02-28', ['day:2026-02-28']],
        ['2026-03-01', ['day:2026-03-01']],
      ],
    ],
    [
      '2026-01-31 to 2026-03-02',
      'month',
      [
        ['2026-01-31', ['day:2026-01-31']],
        ['2026-02-01', ['month:2026-02']],
        ['2026-03-01', ['day:2026-03-01']],
      ],
    ],
    ['2026-02-01 to 2026-03-01', 'month', [['2026-02-01', ['month:2026-02']]]],
    ['2026-03-05 to 2026-03-06', 'month', [['2026-03-05', ['day:2026-03-05']]]],
  ] as const)('%s by %s', (text, by, expected) => {
    const intervals = intervalsOf(range(text), by);
    expect(intervals.map(({ start, periods }) => [start, periods])).toEqual(expected);
  });
});

describe('a range is bounded', () => {
  test.each([
    ['24 months', '2022-01-15 to 2024-01-15', 'month', undefined],
    ['24 months and a day', '2022-01-15 to 2024-01-16', 'month', 'range-too-wide'],
    // 29 February plus 24 months is 1 March.
    ['24 months from a leap day', '2024-02-29 to 2026-03-01', 'month', undefined],
    ['400 days', '2022-01-01 to 2023-02-05', 'day', undefined],
    ['401 days', '2022-01-01 to 2023-02-06', 'day', 'range-too-wide'],
  ] as const)('%s', (_, text, by, slug) => {
    expect(slugOf(() => intervalsOf(range(text), by))).toBe(slug);
  });

  test('also where it is covered as a whole', () => {
    expect(slugOf(() => coverRange(range('2022-01-15 to 2024-01-15')))).toBeUndefined();
    expect(slugOf(() => coverRange(range('2022-01-15 to 2024-01-16')))).toBe('range-too-wide');
  });

  function slugOf(work: () => unknown): string | undefined {
    try {
      work();
      return undefined;
    } catch (error) {
      if (error instanceof Problem) return error.slug;
      throw error;
    }
  }
});

test.each([
  [1, '2026-03-01T00:00:00.000Z', '2026-03-01 to 2026-03-02'],
  [1, '2026-03-01T23:59:59.999Z', '2026-03-01 to 2026-03-02'],
  [30, '2026-03-01T12:00:00.000Z', '2026-01-31 to 2026-03-02'],
])('lastDays: %i days at %s are %s', (count, now, expected) => {
  expect(lastDays(count, Date.parse(now))).toEqual(range(expected));
});
