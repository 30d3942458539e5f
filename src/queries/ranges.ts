import { Problem } from '../domain/problems';
import { dayOf, monthOf, type Period } from '../read-model/keys';

/** More than this costs more than a report may. */
const MAX_MONTHS = 24;
const MAX_INTERVALS = 400;
const DAY_MS = 86_400_000;

/** Days in UTC as `YYYY-MM-DD`: `from` is included, `to` is not. */
export interface DayRange {
  from: string;
  to: string;
}

export interface Interval {
  /** Its first day. */
  start: string;
  /** The periods that make it up. */
  periods: Period[];
}

/**
 * The fewest periods that make up a range: whole months, and the days at its edges.
 * @throws Problem `range-too-wide`
 */
export function coverRange(range: DayRange): Period[] {
  checkRange(range);
  return monthsOf(range).flatMap(({ periods }) => periods);
}

/**
 * The range cut into days or calendar months; the first and last month may be partial.
 * @throws Problem `range-too-wide`
 */
export function intervalsOf(range: DayRange, by: 'day' | 'month'): Interval[] {
  checkRange(range);
  const intervals =
    by === 'month' ? monthsOf(range) : daysOf(range).map((day) => ({ start: day, periods: [dayOf(day)] }));
  if (intervals.length > MAX_INTERVALS) {
    throw new Problem(
      'range-too-wide',
      `A report has at most ${MAX_INTERVALS} intervals, not ${intervals.length}.`,
    );
  }
  return intervals;
}

function checkRange({ from, to }: DayRange): void {
  if (to > monthsLater(from, MAX_MONTHS)) {
    throw new Problem('range-too-wide', `A report covers at most ${MAX_MONTHS} months.`);
  }
}

function monthsOf({ from, to }: DayRange): Interval[] {
  const intervals: Interval[] = [];
  for (let start = from; start < to;) {
    const nextMonth = monthsLater(`${start.slice(0, 7)}-01`, 1);
    const end = nextMonth < to ? nextMonth : to;
    const whole = start.endsWith('-01') && end === nextMonth;
    const periods = whole ? [monthOf(start)] : daysOf({ from: start, to: end }).map(dayOf);
    intervals.push({ start, periods });
    start = end;
  }
  return intervals;
}

function daysOf({ from, to }: DayRange): string[] {
  const days: string[] = [];
  for (let ms = Date.parse(from); ms < Date.parse(to); ms += DAY_MS) days.push(day(ms));
  return days;
}

/** The same day of the month, so many months later; a day that the month lacks runs over into the next. */
function monthsLater(from: string, months: number): string {
  const date = new Date(from);
  date.setUTCMonth(date.getUTCMonth() + months);
  return day(date.getTime());
}

/** Today and the days before it. */
export function lastDays(count: number, now: number): DayRange {
  return { from: day(now - (count - 1) * DAY_MS), to: day(now + DAY_MS) };
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
