import fc from 'fast-check';
import { decodeEvent, encodePayload, type TallyEvent } from '../src/domain/events';
import { instant, instantAt, orderId, productId, userId } from '../src/domain/ids';
import { totalOf } from '../src/domain/order';

const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const time = fc.integer({ min: 0, max: 253_402_300_799_999 }).map(instantAt);
const line = fc.record({
  productId: id.map(productId),
  quantity: fc.integer({ min: 1, max: 4_294_967_295 }),
  unitPrice: fc.bigInt({ min: -999_999_999_999n, max: 999_999_999_999n }),
});
const order = fc
  .record({
    orderId: id.map(orderId),
    userId: id.map(userId),
    createdAt: time,
    lines: fc.array(line, { maxLength: 5 }),
  })
  .map((fields) => ({ ...fields, total: totalOf(fields.lines) }));
const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed());
const event: fc.Arbitrary<TallyEvent> = fc.oneof(
  order.map((order) => ({ type: 'OrderCreated' as const, order })),
  order.map((order) => ({ type: 'OrderDeleted' as const, order })),
  fc.record({
    type: fc.constant('ProductAdded' as const),
    productId: id.map(productId),
    name: text,
    sku: text,
  }),
  fc.record({ type: fc.constant('ProductRemoved' as const), productId: id.map(productId) }),
  fc.record({ type: fc.constant('UserRegistered' as const), userId: id.map(userId), name: text }),
  fc.record({ type: fc.constant('UserRemoved' as const), userId: id.map(userId) }),
  fc.record({ type: fc.constant('UserErased' as const), userId: id.map(userId) }),
);

test('an event survives the way into its columns and back', () => {
  fc.assert(
    fc.property(event, time, (event, occurredAt) => {
      const subject =
        'order' in event ? event.order.orderId : 'productId' in event ? event.productId : event.userId;
      const payload = encodePayload(event, occurredAt);
      expect(decodeEvent(event.type, subject, payload, occurredAt)).toEqual(event);
    }),
  );
});

test('the log says nothing twice: no name, no id of the subject, no time that is that of the event', () => {
  const at = instantAt(1_700_000_000_000);
  const content = {
    userId: userId(5),
    total: 998n,
    createdAt: at,
    lines: [{ productId: productId(10), quantity: 2, unitPrice: 499n }],
  };
  expect(encodePayload({ type: 'OrderCreated', order: content }, at)).toBe('[5,[[10,2,499]]]');
  const later = instantAt(1_700_000_000_001);
  expect(encodePayload({ type: 'OrderDeleted', order: content }, later)).toBe(
    '[5,[[10,2,499]],1700000000000]',
  );
  expect(encodePayload({ type: 'ProductAdded', name: 'Tea', sku: 'T-1' }, at)).toBe('["Tea","T-1"]');
  expect(encodePayload({ type: 'UserRemoved' }, at)).toBe('[]');
});

test.each([
  ['OrderShipped', '[]'],
  ['OrderCreated', '{}'],
  ['OrderCreated', '[5,[[10,2]]]'],
  ['OrderCreated', '[5,[[10,0.5,499]]]'],
  ['ProductAdded', '["Tea"]'],
  ['UserRegistered', 'nonsense'],
])('an event that this release does not know is an error, never passed over: %s %s', (type, payload) => {
  expect(() => decodeEvent(type, 1, payload, instantAt(0))).toThrow(`cannot read an event of type ${type}`);
});

test('a time that does not exist never gets into the log', () => {
  const order = { userId: userId(5), total: 0n, createdAt: instant('2026-11-00T00:00:00.000Z'), lines: [] };
  expect(() => encodePayload({ type: 'OrderCreated', order }, instantAt(0))).toThrow('there is no such time');
});
