/**
 * Distinct ids in ascending order, in a third of the memory of a Set. Cheap where they are added nearly in order.
 *
 * A removal may be told before the addition that it undoes: then that addition changes nothing. So the one addition that a
 * snapshot tells of an id comes to the same before, between and after the events that followed it.
 */
export class SortedIds implements Iterable<number> {
  private readonly ids: number[] = [];
  /** Removed, and not yet added. */
  private owed: Set<number> | undefined;

  get size(): number {
    return this.ids.length;
  }

  /** Whether nothing is left to remember. */
  get isSpent(): boolean {
    return this.ids.length === 0 && (this.owed === undefined || this.owed.size === 0);
  }

  has(id: number): boolean {
    return this.ids[this.placeOf(id)] === id;
  }

  add(id: number): void {
    if (this.owed?.delete(id) === true) return;
    const place = this.placeOf(id);
    if (place === this.ids.length) this.ids.push(id);
    else if (this.ids[place] !== id) this.ids.splice(place, 0, id);
  }

  delete(id: number): void {
    const place = this.placeOf(id);
    if (this.ids[place] === id) this.ids.splice(place, 1);
    else (this.owed ??= new Set()).add(id);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.ids[Symbol.iterator]();
  }

  /** Where the id is, or where it belongs: the index of the first one that is not below it. */
  private placeOf(id: number): number {
    const { ids } = this;
    let low = 0;
    let high = ids.length;
    if (high === 0 || (ids[high - 1] ?? 0) < id) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ids[middle] ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
