/** Faults that are kept; the others are counted. */
const MAX_FAULTS = 100;

/** What is wrong, with file and line: `orders.csv:12: user_id: there is no user 99`. */
export class ImportFaults extends Error {
  override readonly name = 'ImportFaults';

  /** @param faults the first of them; the message lists them. @param count how many there are. */
  constructor(
    readonly faults: string[],
    readonly count: number,
  ) {
    const more = count > faults.length ? [`… and ${count - faults.length} more`] : [];
    super([...faults, ...more, `${count} fault(s) in the files; nothing was imported`].join('\n'));
  }
}

/** Collects faults. */
export class Faults {
  private readonly first: string[] = [];
  private count = 0;

  add(fault: string): void {
    this.count += 1;
    if (this.first.length < MAX_FAULTS) this.first.push(fault);
  }

  /** One that explains others: it is kept however many there are. */
  addFirst(fault: string): void {
    this.count += 1;
    this.first.unshift(fault);
  }

  /** @throws ImportFaults */
  throwIfAny(): void {
    if (this.count > 0) throw new ImportFaults(this.first, this.count);
  }
}

/** The values of a column, and the lines that they are on; a value that comes twice is a fault. */
export class Unique {
  private readonly lines = new Map<string | number, number>();

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

  has(value: string | number): boolean {
    return this.lines.has(value);
  }
}
