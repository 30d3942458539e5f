import fc from 'fast-check';
import { SortedIds } from '../src/read-model/sorted-ids';

test('holds what a Set would, in ascending order', () => {
  const step = fc.record({ add: fc.boolean(), id: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const [ids, set] = [new SortedIds(), new Set<number>()];
      for (const { add, id } of steps) {
        if (add) ids.add(id);
        else ids.delete(id);
        if (add) set.add(id);
        else set.delete(id);
        expect([ids.has(id), ids.size]).toEqual([set.has(id), set.size]);
      }
      expect([...ids]).toEqual([...set].toSorted((a, b) => a - b));
    }),
  );
});
