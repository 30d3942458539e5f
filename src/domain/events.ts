/**
 * The events: the only contract between the write side and the read side. An event carries all that a projection needs,
 * so applying one never reads MySQL. What a column of the log says already is not in the payload. A payload of another
 * shape is an event of another type; an event of an unknown type stops the projector.
 */
import { z } from 'zod';
import {
  instantAt,
  orderId,
  productId,
  userId,
  type EventId,
  type Instant,
  type OrderId,
  type Position,
  type ProductId,
  type UserId,
} from './ids';
import type { LogPosition } from './log-position';
import { totalOf, type Order, type OrderContent } from './order';

export type TallyEvent =
  | { type: 'OrderCreated'; order: Order }
  /** Carries the order as it was logged, so that exactly what was added is taken away. */
  | { type: 'OrderDeleted'; order: Order }
  /** Also says that a product's name or SKU changed: it replaces what was stated before. */
  | { type: 'ProductAdded'; productId: ProductId; name: string; sku: string }
  | { type: 'ProductRemoved'; productId: ProductId }
  | { type: 'UserRegistered'; userId: UserId; name: string }
  | { type: 'UserRemoved'; userId: UserId }
  /** The user stays, and is called `ERASED_NAME` from here on; so do the events before it. */
  | { type: 'UserErased'; userId: UserId };

/** In place of the name of a user that was erased. */
export const ERASED_NAME = '[erased]';

export type EventType = TallyEvent['type'];

type EventsByType = { [E in TallyEvent as E['type']]: E };

/** The event of one type. Not by a conditional type, which would keep a `LoggedEvent<T>` from being a `LoggedEvent`. */
export type EventOf<T extends EventType> = EventsByType[T];

/** What an event says, without the id of its subject: MySQL may hand that out in the same transaction. */
export type EventBody =
  | { type: 'OrderCreated'; order: OrderContent }
  | { type: 'OrderDeleted'; order: OrderContent }
  | { type: 'ProductAdded'; name: string; sku: string }
  | { type: 'ProductRemoved' }
  | { type: 'UserRegistered'; name: string }
  | { type: 'UserRemoved' }
  | { type: 'UserErased' };

/** An event and its place in the log. */
export interface LoggedEvent<T extends EventType = EventType> {
  position: Position;
  eventId: EventId;
  event: EventOf<T>;
  occurredAt: Instant;
}

export function logPositionOf({ position, eventId }: LoggedEvent): LogPosition {
  return { position, eventId };
}

/** What an event is about; together with an id it names an order, a product or a user. */
export type SubjectKind = 'order' | 'product' | 'user';

export const EVENT_TYPES: readonly EventType[] = [
  'OrderCreated',
  'OrderDeleted',
  'ProductAdded',
  'ProductRemoved',
  'UserRegistered',
  'UserRemoved',
  'UserErased',
];

/** The id of the order, product or user that the event is about. */
export function subjectId(event: TallyEvent): OrderId | ProductId | UserId {
  switch (event.type) {
    case 'OrderCreated':
    case 'OrderDeleted':
      return event.order.orderId;
    case 'ProductAdded':
    case 'ProductRemoved':
      return event.productId;
    case 'UserRegistered':
    case 'UserRemoved':
    case 'UserErased':
      return event.userId;
  }
}

/** The event about the subject with this id. */
export function withSubject(body: EventBody, id: number): TallyEvent {
  switch (body.type) {
    case 'OrderCreated':
    case 'OrderDeleted':
      return { type: body.type, order: { ...body.order, orderId: orderId(id) } };
    case 'ProductAdded':
      return { type: body.type, productId: productId(id), name: body.name, sku: body.sku };
    case 'ProductRemoved':
      return { type: body.type, productId: productId(id) };
    case 'UserRegistered':
      return { type: body.type, userId: userId(id), name: body.name };
    case 'UserRemoved':
    case 'UserErased':
      return { type: body.type, userId: userId(id) };
  }
}

const wholeNumber = z.int();

/** User, lines as product, quantity and price of one unit in minor units; milliseconds since 1970 where it did not happen now. */
const orderPayload = z.tuple(
  [wholeNumber, z.array(z.tuple([wholeNumber, wholeNumber, wholeNumber]))],
  wholeNumber,
);
const productPayload = z.tuple([z.string(), z.string()]);
const userPayload = z.tuple([z.string()]);

/** The JSON text for `order_events.payload`. */
export function encodePayload(body: EventBody, occurredAt: Instant): string {
  return JSON.stringify(payloadOf(body, occurredAt));
}

function payloadOf(body: EventBody, occurredAt: Instant): unknown[] {
  switch (body.type) {
    case 'OrderCreated':
    case 'OrderDeleted': {
      const { userId, createdAt, lines } = body.order;
      const items = lines.map((line) => [line.productId, line.quantity, Number(line.unitPrice)]);
      return createdAt === occurredAt ? [userId, items] : [userId, items, millisecondsOf(createdAt)];
    }
    case 'ProductAdded':
      return [body.name, body.sku];
    case 'UserRegistered':
      return [body.name];
    case 'ProductRemoved':
    case 'UserRemoved':
    case 'UserErased':
      return [];
  }
}

/** @throws RangeError where there is no such time: its NaN would be null in the log, which no release can read. */
function millisecondsOf(time: Instant): number {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) throw new RangeError(`there is no such time: ${time}`);
  return ms;
}

/**
 * The inverse of `encodePayload`.
 * @throws Error for a type or payload that this release does not know. It must not be skipped: run one that knows it.
 */
export function decodeEvent(type: string, subject: number, payload: string, occurredAt: Instant): TallyEvent {
  try {
    return withSubject(decodeBody(type, JSON.parse(payload), occurredAt), subject);
  } catch (error) {
    throw new Error(`this release cannot read an event of type ${type}: ${payload.slice(0, 200)}`, {
      cause: error,
    });
  }
}

function decodeBody(type: string, json: unknown, occurredAt: Instant): EventBody {
  switch (type) {
    case 'OrderCreated':
    case 'OrderDeleted':
      return { type, order: decodeOrder(orderPayload.parse(json), occurredAt) };
    case 'ProductAdded': {
      const [name, sku] = productPayload.parse(json);
      return { type, name, sku };
    }
    case 'UserRegistered': {
      const [name] = userPayload.parse(json);
      return { type, name };
    }
    case 'ProductRemoved':
    case 'UserRemoved':
    case 'UserErased':
      return { type };
    default:
      throw new Error('unknown type');
  }
}

function decodeOrder(
  [user, items, createdMs]: z.output<typeof orderPayload>,
  occurredAt: Instant,
): OrderContent {
  const lines = items.map(([product, quantity, unitMinor]) => ({
    productId: productId(product),
    quantity,
    unitPrice: BigInt(unitMinor),
  }));
  return {
    userId: userId(user),
    total: totalOf(lines),
    createdAt: createdMs === undefined ? occurredAt : instantAt(createdMs),
    lines,
  };
}
