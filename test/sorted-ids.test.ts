import fc from 'fast-check';
import { SortedIds } from '../src/read-model/sorted-ids';

test('holds the distinct ids that were added, in ascending order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (added) => {
      const ids = new SortedIds();
      for (const id of added) ids.add(id);
      const expected = [...new Set(added)].toSorted((a, b) => a - b);
      expect([...ids]).toEqual(expected);
      expect(ids.size).toBe(expected.length);
      for (let id = 0; id <= 20; id++) expect(ids.has(id)).toBe(expected.includes(id));
    }),
  );
});

test('an addition that is told late comes to the same: of what followed it, only the first removal came too early', () => {
  // Listed by a snapshot, then removed, added, removed … by the events after it.
  const history = fc.record({ events: fc.nat({ max: 6 }), toldAfter: fc.nat({ max: 6 }) });
  fc.assert(
    fc.property(fc.array(history, { maxLength: 8 }), (histories) => {
      const ids = new SortedIds();
      for (const [id, { events, toldAfter }] of histories.entries()) {
        for (let n = 0; n <= events; n++) {
          if (n === Math.min(toldAfter, events)) ids.add(id);
          if (n < events && n % 2 === 0) ids.delete(id);
          if (n < events && n % 2 === 1) ids.add(id);
        }
      }
      expect([...ids]).toEqual(
        [...histories.entries()].flatMap(([id, { events }]) => (events % 2 === 0 ? [id] : [])),
      );
      if (ids.size === 0) expect(ids.isSpent).toBe(true);
    }),
  );
});
