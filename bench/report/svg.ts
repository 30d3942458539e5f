/** The few shapes that the plot needs; colours are classes, so that they follow light and dark. */

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export function text(x: number, y: number, content: string, classes: string, anchor = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${classes}" text-anchor="${anchor}">${escape(content)}</text>`;
}

export function bar({ x, y, width, height }: Box, classes: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="2" class="${classes}"/>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${classes}"/>`;
}

/** A line with a dot at each point, in the colour of a name. */
export function path(points: [number, number][], color: string): string {
  const d = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('');
  const dots = points.map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3.5" class="${color}"/>`);
  return `<path d="${d}" class="line-${color}"/>${dots.join('')}`;
}

/** Powers of ten that a logarithmic axis over these values needs, with one above and one below. */
export function decades(values: number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
