import { format } from '../bench';
import { createCase, RAW_SQL_LOGGED } from '../cases/create';
import { USUAL, USUAL_LESS } from '../cases/market';
import { findCase, TALLY, type Case, type Results } from '../results';
import { bar, text, type Box } from './svg';

const BARS = [
  { subject: TALLY, label: 'Tally', color: 'tally' },
  { subject: USUAL, label: 'usual design, same report keys', color: 'usual' },
  { subject: USUAL_LESS, label: 'usual design, HSET + INCRBY only', color: 'less' },
  { subject: RAW_SQL_LOGGED, label: 'MySQL alone, batched SQL', color: 'raw' },
];
const ROW = 38;
const HEAD = 24;
const GAP = 34;

/** Orders created a second at each number of clients, each with a scale of its own: what counts are the ratios. */
export function creationBars({ cases }: Results, { x, y, width }: Box): string {
  const counts = [1, 64, 256];
  const column = (width - GAP * (counts.length - 1)) / counts.length;
  const parts: string[] = [];
  for (const [index, clients] of counts.entries()) {
    const left = x + index * (column + GAP);
    const one = findCase(cases, createCase(clients));
    parts.push(text(left, y + 10, titleOf(clients, one), 'strong'));
    const bars = BARS.flatMap((entry) => {
      const found = one?.subjects.find(({ name }) => name === entry.subject);
      return found === undefined ? [] : [{ ...entry, value: found.median }];
    });
    const highest = Math.max(...bars.map(({ value }) => value));
    for (const [row, { label, color, value }] of bars.entries()) {
      const top = y + HEAD + row * ROW;
      parts.push(
        text(left, top + 6, label, 'small muted'),
        text(left + column, top + 6, `${format(value)}/s`, 'small muted number', 'end'),
        bar({ x: left, y: top + 11, width: (column * value) / highest, height: 12 }, color),
      );
    }
  }
  return parts.join('\n');
}

function titleOf(clients: number, one: Case | undefined): string {
  const title = clients === 1 ? '1 client' : `${clients} clients`;
  const times = one?.ratios.find(({ against }) => against === USUAL)?.times;
  return times === undefined ? title : `${title}: ${format(times)}× the usual design`;
}

export const CREATION_HEIGHT = HEAD + BARS.length * ROW;
