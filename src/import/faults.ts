import { counted } from '../domain/plain-english';

/** Faults that are kept; the others are counted. */
const MAX_FAULTS = 100;

/** What is wrong, with file and line: `orders.csv:12: user_id: 99 is not in users.csv`. */
export class ImportFaults extends Error {
  override readonly name = 'ImportFaults';

  /** @param faults the first of them; the message lists them. @param count how many there are. */
  constructor(
    readonly faults: string[],
    readonly count: number,
  ) {
    const more = count > faults.length ? [`… and ${count - faults.length} more`] : [];
    super([...faults, ...more, `${counted(count, 'fault')} in the files; nothing was imported`].join('\n'));
  }
}

/** Collects faults. */
export class Faults {
  private readonly ofFiles: string[] = [];
  private readonly first: string[] = [];
  private count = 0;
  /** What rows name and no other file has. */
  private readonly dangling: string[] = [];
  private danglingCount = 0;

  add(fault: string): void {
    this.count += 1;
    if (this.first.length < MAX_FAULTS) this.first.push(fault);
  }

  /** Of a file as a whole. */
  addOfFile(fault: string): void {
    this.ofFiles.push(fault);
  }

  /** A row names what no other file has. That is no fault of its own where a file could not be read. */
  addDangling(fault: string): void {
    this.danglingCount += 1;
    if (this.dangling.length < MAX_FAULTS) this.dangling.push(fault);
  }

  /** @throws ImportFaults */
  throwIfAny(): void {
    const isWhole = this.ofFiles.length === 0;
    const count = this.ofFiles.length + this.count + (isWhole ? this.danglingCount : 0);
    const told = [...this.ofFiles, ...this.first, ...(isWhole ? this.dangling : [])];
    if (count > 0) throw new ImportFaults(told.slice(0, MAX_FAULTS), count);
  }
}

/** The values of a column, and the lines that they are on; a value that comes twice is a fault. */
export class Unique {
  private readonly lines = new Map<string | number, number>();
  private readonly refused = new Set<string | number>();

  constructor(
    private readonly file: string,
    private readonly column: string,
    private readonly faults: Faults,
  ) {}

  add(value: string | number, line: number): void {
    const first = this.lines.get(value);
    if (first === undefined) this.lines.set(value, line);
    else this.faults.add(`${this.file}:${line}: ${this.column}: ${value} is on line ${first} already`);
  }

  /** A row with this value has a fault of its own: nothing more is said of whoever names it. */
  refuse(value: string | number): void {
    this.refused.add(value);
  }

  has(value: string | number): boolean {
    return this.lines.has(value) || this.refused.has(value);
  }
}
