import { CREATE_ORDER, type Catalogue } from '../src/commands/create-order';
import { CREATE_PRODUCT } from '../src/commands/create-product';
import { CREATE_USER } from '../src/commands/create-user';
import { DELETE_ORDER } from '../src/commands/delete-order';
import { DELETE_PRODUCT } from '../src/commands/delete-product';
import { DELETE_USER } from '../src/commands/delete-user';
import { ERASE_USER } from '../src/commands/erase-user';
import { RECONCILE } from '../src/commands/reconcile';
import type { Decision } from '../src/commands/writer/command';
import { correctionId, uniqueEventId, uniqueIdentity } from '../src/commands/writer/identity';
import { decideGroup } from '../src/commands/writer/transaction';
import type { LoggedEvent, TallyEvent } from '../src/domain/events';
import { instant, instantAt, orderId, positionOf, productId, userId } from '../src/domain/ids';
import { totalOf, type Order } from '../src/domain/order';
import { Problem } from '../src/domain/problems';
import { addMissing, BulkConflict, ORDERS, PRODUCTS, USERS } from '../src/import/bulk';

const now = instantAt(1_700_000_000_000);
const latestId = uniqueEventId();

function order(id: number, quantity = 1): Order {
  const lines = [{ productId: productId(10), quantity, unitPrice: 250n }];
  return { orderId: orderId(id), userId: userId(5), createdAt: now, lines, total: totalOf(lines) };
}

const logged = (event: TallyEvent): LoggedEvent => ({
  position: positionOf(7),
  eventId: latestId,
  event,
  occurredAt: now,
});

/** A decision in short: the problem, `locked`, what is told, or the types of the events. */
function inShort(decision: Decision<unknown, unknown>): unknown {
  if (decision === 'locked') return 'locked';
  if (decision instanceof Problem) return decision.slug;
  return 'told' in decision ? decision.told : decision.events.map(({ body }) => body.type);
}

describe('create-order', () => {
  const catalogue: Catalogue = {
    users: new Set([5, 6]),
    products: new Set([10, 20, 30]),
    freeUsers: new Set([5]),
    prices: new Map([
      [10, 250n],
      [20, 0n],
    ]),
  };
  const decide = (user: number, items: [product: number, quantity: number][], facts = catalogue) =>
    CREATE_ORDER.decide(
      facts,
      [],
      {
        order: {
          userId: userId(user),
          items: items.map(([product, quantity]) => ({ productId: productId(product), quantity })),
        },
        maxOrderTotal: 1000n,
      },
      now,
    );

  test.each<[string, number, [number, number][], unknown]>([
    [
      'at the prices of this moment',
      5,
      [
        [10, 2],
        [20, 1],
      ],
      ['OrderCreated'],
    ],
    ['at the highest total', 5, [[10, 4]], ['OrderCreated']],
    [
      'above the highest total',
      5,
      [
        [10, 4],
        [10, 1],
      ],
      'order-total-too-large',
    ],
    ['of a user who does not exist', 7, [[10, 1]], 'unknown-user'],
    [
      'of a product that does not exist',
      5,
      [
        [10, 1],
        [40, 1],
      ],
      'unknown-product',
    ],
    ['of a user whom somebody has locked', 6, [[10, 1]], 'locked'],
    [
      'of a product that somebody has locked',
      5,
      [
        [10, 1],
        [30, 1],
      ],
      'locked',
    ],
    ['of a locked user and a product that does not exist', 6, [[40, 1]], 'unknown-product'],
  ])('an order %s', (_about, user, items, expected) => {
    expect(inShort(decide(user, items))).toEqual(expected);
  });

  test('an order takes the next of the ids that MySQL hands out to the transaction', () => {
    const [first, second] = [0, 1].map((accepted) =>
      CREATE_ORDER.decide(
        catalogue,
        Array.from({ length: accepted }, () => order(1)),
        {
          order: { userId: userId(5), items: [{ productId: productId(10), quantity: 2 }] },
          maxOrderTotal: 1000n,
        },
        now,
      ),
    );
    expect(first).toMatchObject({
      row: { total: 500n, createdAt: now },
      events: [{ subject: { inserted: 0 } }],
    });
    expect(second).toMatchObject({ events: [{ subject: { inserted: 1 } }] });
  });

  test('the fields of unknown products are named', () => {
    const problem = decide(5, [
      [40, 1],
      [10, 1],
      [41, 1],
    ]);
    expect(problem).toMatchObject({
      detail: 'There is no product 40, 41.',
      extras: { errors: [{ field: 'items.0.product_id' }, { field: 'items.2.product_id' }] },
    });
  });
});

describe('delete-order', () => {
  const stored = order(1, 2);
  const facts = (latest?: TallyEvent, row = stored) => ({
    existing: new Set([row.orderId, orderId(2)]),
    free: new Map([[row.orderId, { order: row, asLogged: true }]]),
    latest: new Map(latest === undefined ? [] : [[1, logged(latest)]]),
  });
  const decide = (known: ReturnType<typeof facts>, id = 1, accepted = [] as number[]) =>
    DELETE_ORDER.decide(known, accepted.map(orderId), orderId(id), now);

  test.each<[string, Decision<unknown>, unknown]>([
    ['that is as logged', decide(facts({ type: 'OrderCreated', order: stored })), ['OrderDeleted']],
    ['that does not exist', decide(facts(), 3), 'order-not-found'],
    ['that somebody has locked', decide(facts(), 2), 'locked'],
    ['that the same group has deleted before', decide(facts(), 1, [1]), 'order-not-found'],
    ['that the log never heard of', decide(facts()), ['OrderCreated', 'OrderDeleted']],
  ])('an order %s', (_about, decision, expected) => {
    expect(inShort(decision)).toEqual(expected);
  });

  test('what is taken away is what the log added, not what the row says', () => {
    const decision = decide(facts({ type: 'OrderCreated', order: order(1, 1) }));
    expect(decision).toMatchObject({ events: [{ body: { order: { total: 250n } }, subject: 1 }] });
  });

  test.each([
    ['a total that is not that of the lines', { ...stored, total: 1n }],
    ['no date', { ...stored, createdAt: instant('0000-00-00T00:00:00.000Z') }],
  ])('what no report can state comes and goes now, without its lines: %s', (_about, order) => {
    const decision = decide(facts(undefined, order));
    const empty = { body: { order: { total: 0n, lines: [], createdAt: now } } };
    expect(decision).toMatchObject({
      events: [{ ...empty, eventId: correctionId('order', 1, undefined) }, empty],
    });
  });
});

const tea = { type: 'ProductAdded', productId: productId(1), name: 'Tea', sku: 'T' } as const;
const ada = { type: 'UserRegistered', userId: userId(1), name: 'Ada' } as const;

test.each<[string, Decision<unknown>, unknown]>([
  [
    'a product',
    CREATE_PRODUCT.decide({ isTaken: false }, [], { name: 'Tea', sku: 'T', price: 1n }, now),
    ['ProductAdded'],
  ],
  [
    'a SKU that is taken',
    CREATE_PRODUCT.decide({ isTaken: true }, [], { name: 'Tea', sku: 'T', price: 1n }, now),
    'sku-taken',
  ],
  [
    'a user',
    CREATE_USER.decide({ isTaken: false }, [], { name: 'Ada', email: 'a@b' }, now),
    ['UserRegistered'],
  ],
  [
    'an email that is taken',
    CREATE_USER.decide({ isTaken: true }, [], { name: 'Ada', email: 'a@b' }, now),
    'email-taken',
  ],
  [
    'a product that nobody bought',
    DELETE_PRODUCT.decide({ stated: tea, isInUse: false, latest: logged(tea) }, [], productId(1), now),
    ['ProductRemoved'],
  ],
  [
    'a product that another program added',
    DELETE_PRODUCT.decide({ stated: tea, isInUse: false, latest: undefined }, [], productId(1), now),
    ['ProductAdded', 'ProductRemoved'],
  ],
  [
    'a product that another program brought back',
    DELETE_PRODUCT.decide(
      {
        stated: tea,
        isInUse: false,
        latest: logged({ type: 'ProductRemoved', productId: productId(1) }),
      },
      [],
      productId(1),
      now,
    ),
    ['ProductAdded', 'ProductRemoved'],
  ],
  [
    'a product that was bought',
    DELETE_PRODUCT.decide({ stated: tea, isInUse: true, latest: undefined }, [], productId(1), now),
    'product-in-use',
  ],
  [
    'a product that does not exist',
    DELETE_PRODUCT.decide({ stated: undefined, isInUse: false, latest: undefined }, [], productId(1), now),
    'product-not-found',
  ],
  [
    'a user without orders',
    DELETE_USER.decide({ stated: ada, isInUse: false, latest: logged(ada) }, [], userId(1), now),
    ['UserRemoved'],
  ],
  [
    'a user with orders',
    DELETE_USER.decide({ stated: ada, isInUse: true, latest: undefined }, [], userId(1), now),
    'user-in-use',
  ],
  [
    'a user who does not exist',
    DELETE_USER.decide({ stated: undefined, isInUse: false, latest: undefined }, [], userId(1), now),
    'user-not-found',
  ],
  [
    'the erasure of a user',
    ERASE_USER.decide({ stated: ada, latest: logged(ada) }, [], userId(1), now),
    ['UserErased'],
  ],
  [
    'the erasure of a user of whom the log has never heard',
    ERASE_USER.decide({ stated: ada, latest: undefined }, [], userId(1), now),
    ['UserRegistered', 'UserErased'],
  ],
  [
    'the erasure of a user who was removed',
    ERASE_USER.decide(
      { stated: undefined, latest: logged({ type: 'UserRemoved', userId: userId(1) }) },
      [],
      userId(1),
      now,
    ),
    ['UserRegistered', 'UserRemoved'],
  ],
  [
    'the erasure of a user whom another program deleted',
    ERASE_USER.decide({ stated: undefined, latest: logged(ada) }, [], userId(1), now),
    ['UserRemoved'],
  ],
  [
    'the erasure of a user who never was',
    ERASE_USER.decide({ stated: undefined, latest: undefined }, [], userId(1), now),
    'user-not-found',
  ],
])('%s', (_about, decision, expected) => {
  expect(inShort(decision)).toEqual(expected);
});

describe('reconcile', () => {
  const renamed = { type: 'ProductAdded', productId: productId(10), name: 'Tea', sku: 'T' } as const;
  const decide = (kind: 'order' | 'product', facts: Parameters<typeof RECONCILE.decide>[0], id: number) =>
    RECONCILE.decide(facts, [], { kind, id }, now);

  test('a correction has an id that names what it corrects, so that two processes make it once', () => {
    const facts = {
      stated: { type: 'OrderCreated' as const, order: order(1, 2) },
      latest: logged({ type: 'OrderCreated', order: order(1) }),
    };
    const decision = decide('order', facts, 1);
    expect(decision).toEqual(decide('order', facts, 1));
    expect(decision).toMatchObject({
      events: [
        { body: { type: 'OrderDeleted' }, eventId: correctionId('order', 1, latestId) },
        { body: { type: 'OrderCreated' } },
      ],
    });
  });

  test('a product that the log knows is not counted once more', () => {
    const known = decide('product', { stated: renamed, latest: logged({ ...renamed, name: 'Tee' }) }, 10);
    expect(known).toMatchObject({ events: [{ restates: true }] });
    expect(decide('product', { stated: renamed, latest: undefined }, 10)).toMatchObject({
      events: [{ restates: false }],
    });
  });

  test('nothing to do, a locked row, and what can never be logged', () => {
    const stated = { type: 'OrderCreated' as const, order: { ...order(1), total: 1n } };
    expect(inShort(decide('product', { stated: renamed, latest: logged(renamed) }, 10))).toBe(
      'nothing-to-do',
    );
    expect(decide('order', { stated: 'locked', latest: undefined }, 1)).toBe('locked');
    expect(inShort(decide('order', { stated, latest: undefined }, 1))).toEqual({
      irreconcilable: 'its total is not the sum of its lines',
    });
  });
});

describe('a batch of an import', () => {
  const tea = { id: productId(10), name: 'Tea', sku: 'T', price: 250n };
  const ada = { id: userId(5), name: 'Ada', email: 'Ada@example.com' };

  test('what is there with the same content is left alone', () => {
    const decision = addMissing(ORDERS).decide([[order(1)], new Map()], [], [order(1), order(2)], now);
    expect(decision).toMatchObject({ events: [{ subject: 2 }] });
    const again = addMissing(ORDERS).decide([[order(1)], new Map()], [], [order(1)], now);
    expect(inShort(again)).toBe('nothing-to-do');
  });

  test('another content, or a unique value of another id, is a conflict', () => {
    const cheaper = { ...tea, price: 249n };
    const content = addMissing(PRODUCTS).decide([[cheaper], new Map()], [], [tea], now);
    expect(inShort(content)).toEqual(new BulkConflict('1 product is there already with another content: 10'));
    const other = { id: userId(77), name: 'Eve', email: 'ada@example.com' };
    const owner = addMissing(USERS).decide([[other], new Map()], [], [ada], now);
    expect(inShort(owner)).toEqual(
      new BulkConflict('1 email belongs to another id already: ada@example.com (id 77)'),
    );
  });

  test('an order that another program deleted is taken away before it comes back', () => {
    const latest = new Map([[1, logged({ type: 'OrderCreated', order: order(1, 3) })]]);
    const decision = addMissing(ORDERS).decide([[], latest], [], [order(1)], now);
    expect(inShort(decision)).toEqual(['OrderDeleted', 'OrderCreated']);
    expect(decision).toMatchObject({
      events: [{ body: { order: { total: 750n } } }, { body: { order: { total: 250n } } }],
    });
  });
});

test('a group is a fold in order of arrival; what is in the log already is answered from there', () => {
  const deletion = (id: number) => ({
    command: { kind: DELETE_ORDER, input: orderId(id), identity: uniqueIdentity(), now, actor: undefined },
  });
  const [first, again, unknown, repeated] = [deletion(1), deletion(1), deletion(9), deletion(2)];
  const earlier = repeated.command.identity.eventId;
  const facts = {
    existing: new Set([orderId(1)]),
    free: new Map([[orderId(1), { order: order(1), asLogged: false }]]),
    latest: new Map(),
  };
  const found = { logged: logged({ type: 'OrderDeleted', order: order(2) }), requestHash: null };
  const group = decideGroup(
    [first, again, unknown, repeated],
    new Map([[DELETE_ORDER, facts]]),
    new Map([[earlier, found]]),
  );
  expect(group.accepted).toEqual(new Map([[first, 1]])); // behind the event that corrects the log
  expect([...group.ended]).toMatchObject([
    [again, { slug: 'order-not-found' }],
    [unknown, { slug: 'order-not-found' }],
    [repeated, { logged: found.logged, replayed: false }],
  ]);
  expect(group.events.map(({ body }) => body.type)).toEqual(['OrderCreated', 'OrderDeleted']);
  expect(group.events[1]?.eventId).toBe(first.command.identity.eventId);
  expect([...group.rows.values()]).toEqual([[1]]);
});
