import { format } from '../bench';
import { decades, line, path, text, type Box } from './svg';

export interface Series {
  label: string;
  color: string;
  /** One for each tick of the x axis; undefined where it was not measured. */
  values: (number | undefined)[];
}

const AXIS_WIDTH = 52;
const AXIS_HEIGHT = 36;
const LABEL_WIDTH = 132;
/** Labels at the ends of lines must not cover each other. */
const LABEL_HEIGHT = 15;

/** Lines over a logarithmic axis of milliseconds, each named at its end; a tick has one or two lines of text. */
export function lineChart({ x, y, width, height }: Box, ticks: string[][], series: Series[]): string {
  const values = series.flatMap((one) => one.values).filter((value) => value !== undefined);
  if (values.length === 0) return text(x, y + 20, 'not measured', 'small muted');
  const scale = decades(values);
  const low = Math.log10(scale[0] ?? 1);
  const high = Math.log10(scale.at(-1) ?? 10);
  const bottom = y + height - AXIS_HEIGHT;
  const left = x + AXIS_WIDTH;
  const right = x + width - LABEL_WIDTH;
  const xOf = (index: number) => left + 12 + ((right - left - 24) * index) / Math.max(1, ticks.length - 1);
  const yOf = (value: number) => bottom - ((bottom - y) * (Math.log10(value) - low)) / (high - low);

  const parts = scale.flatMap((value) => [
    line(left, yOf(value), right, yOf(value), 'grid'),
    text(
      left - 8,
      yOf(value) + 4,
      value >= 1000 ? `${value / 1000} s` : `${format(value)} ms`,
      'small muted',
      'end',
    ),
  ]);
  for (const [index, lines] of ticks.entries()) {
    parts.push(
      ...lines.map((content, row) =>
        text(xOf(index), bottom + 17 + row * LABEL_HEIGHT, content, 'small muted', 'middle'),
      ),
    );
  }
  const labels: { label: string; color: string; at: number }[] = [];
  for (const { label, color, values: own } of series) {
    const points = own.flatMap((value, index): [number, number][] =>
      value === undefined ? [] : [[xOf(index), yOf(value)]],
    );
    parts.push(path(points, color));
    const last = own.at(-1);
    if (last !== undefined) labels.push({ label: `${label} ${duration(last)}`, color, at: yOf(last) + 4 });
  }
  let above = -Infinity;
  for (const { label, color, at } of labels.toSorted((a, b) => a.at - b.at)) {
    above = Math.max(at, above + LABEL_HEIGHT);
    parts.push(text(right + 2, above, label, `small name ${color}`));
  }
  return parts.join('\n');
}

function duration(ms: number): string {
  return ms >= 1000 ? `${format(ms / 1000)} s` : `${format(ms)} ms`;
}
