import fc from 'fast-check';
import { averageMinor, formatMinor, parseMinor } from '../src/domain/money';

test('an amount survives the way into text and back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }), (minor) => {
      expect(parseMinor(formatMinor(minor))).toBe(minor);
    }),
  );
});

test.each([
  ['45.99', 4599n],
  ['7', 700n],
  ['0.5', 50n],
  ['9999999999.99', 999999999999n],
])('%s is %s cents', (text, minor) => {
  expect(parseMinor(text)).toBe(minor);
});

test.each(['', '.', '1.', '.5', '1.234', '1e3', ' 1', '1,5', '0x10', 'NaN', '--1'])(
  '%j is not an amount',
  (text) => {
    expect(parseMinor(text)).toBeUndefined();
  },
);

test('an average is rounded half up, and nothing divided by nothing is nothing', () => {
  expect(averageMinor(5n, 2n)).toBe(3n);
  expect(averageMinor(100n, 3n)).toBe(33n);
  expect(averageMinor(0n, 0n)).toBe(0n);
});
