import { ERASED_NAME, type TallyEvent } from '../src/domain/events';
import { instant, instantAt, orderId, productId, userId } from '../src/domain/ids';
import { HIGHEST_ORDER_TOTAL } from '../src/domain/money';
import { totalOf, type Order } from '../src/domain/order';
import { reconcile, type Reconciliation, type Stated } from '../src/domain/reconcile';

function order(quantity: number, changes: Partial<Order> = {}): Order {
  const lines = [{ productId: productId(10), quantity, unitPrice: 250n }];
  return {
    orderId: orderId(1),
    userId: userId(5),
    createdAt: instantAt(0),
    lines,
    total: totalOf(changes.lines ?? lines),
    ...changes,
  };
}

const created = (order: Order): Stated => ({ type: 'OrderCreated', order });
const deleted = (order: Order): TallyEvent => ({ type: 'OrderDeleted', order });
const added = (name: string): Stated => ({ type: 'ProductAdded', productId: productId(10), name, sku: 'T' });
const removed: TallyEvent = { type: 'ProductRemoved', productId: productId(10) };
const registered = (name: string): Stated => ({ type: 'UserRegistered', userId: userId(5), name });
const unregistered: TallyEvent = { type: 'UserRemoved', userId: userId(5) };
const priced = (unitPrice: bigint, quantity = 1) => [{ productId: productId(10), quantity, unitPrice }];

const TABLE: {
  about: string;
  row: Stated | undefined;
  logged: TallyEvent | undefined;
  outcome: Reconciliation;
}[] = [
  {
    about: 'an order that is as logged',
    row: created(order(1)),
    logged: created(order(1)),
    outcome: { events: [] },
  },
  {
    about: 'an order of another program',
    row: created(order(1)),
    logged: undefined,
    outcome: { events: [created(order(1))] },
  },
  {
    about: 'an order that another program changed',
    row: created(order(2)),
    logged: created(order(1)),
    outcome: { events: [deleted(order(1)), created(order(2))] },
  },
  {
    about: 'an order that another program deleted',
    row: undefined,
    logged: created(order(1)),
    outcome: { events: [deleted(order(1))] },
  },
  {
    about: 'an order that another program brought back',
    row: created(order(1)),
    logged: deleted(order(1)),
    outcome: { events: [created(order(1))] },
  },
  { about: 'an order that was never there', row: undefined, logged: undefined, outcome: { events: [] } },
  {
    about: 'an order that is gone, as logged',
    row: undefined,
    logged: deleted(order(1)),
    outcome: { events: [] },
  },
  {
    about: 'an order without lines',
    row: created(order(1, { lines: [] })),
    logged: undefined,
    outcome: { events: [created(order(1, { lines: [] }))] },
  },
  {
    about: 'a product of another program',
    row: added('Tea'),
    logged: undefined,
    outcome: { events: [added('Tea')] },
  },
  {
    about: 'a product that was renamed',
    row: added('Tea'),
    logged: added('Tee'),
    outcome: { events: [added('Tea')] },
  },
  { about: 'a product that is as logged', row: added('Tea'), logged: added('Tea'), outcome: { events: [] } },
  {
    about: 'a product that another program deleted',
    row: undefined,
    logged: added('Tea'),
    outcome: { events: [removed] },
  },
  {
    about: 'a product that came back',
    row: added('Tea'),
    logged: removed,
    outcome: { events: [added('Tea')] },
  },
  {
    about: 'a user who was renamed',
    row: registered('Ada'),
    logged: registered('Eva'),
    outcome: { events: [registered('Ada')] },
  },
  {
    about: 'a user whom another program deleted',
    row: undefined,
    logged: registered('Ada'),
    outcome: { events: [unregistered] },
  },
  {
    about: 'a user who was erased',
    row: registered(ERASED_NAME),
    logged: { type: 'UserErased', userId: userId(5) },
    outcome: { events: [] },
  },
  { about: 'a user who is gone, as logged', row: undefined, logged: unregistered, outcome: { events: [] } },
  {
    about: 'a total that is not that of the lines',
    row: created(order(1, { total: 1n })),
    logged: undefined,
    outcome: { irreconcilable: 'its total is not the sum of its lines' },
  },
  {
    about: 'a negative price',
    row: created(order(1, { lines: priced(-1n) })),
    logged: undefined,
    outcome: { irreconcilable: 'a line has a negative price' },
  },
  ...['0000-00-00', '2026-11-00', '2026-02-31', '2026-13-01'].map((day) => ({
    about: `the date ${day}`,
    row: created(order(1, { createdAt: instant(`${day}T00:00:00.000Z`) })),
    logged: undefined,
    outcome: { irreconcilable: 'its time is no time' },
  })),
  {
    about: 'a total beyond the bound',
    row: created(order(1, { lines: priced(HIGHEST_ORDER_TOTAL, 2) })),
    logged: created(order(1)),
    outcome: { irreconcilable: 'its total is beyond the highest that an order may have' },
  },
];

test.each(TABLE)('$about', ({ row, logged, outcome }) => {
  expect(reconcile(row, logged)).toEqual(outcome);
});
