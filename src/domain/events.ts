/**
 * The events: the only contract between the write side and the read side. An event carries all that a projection needs,
 * so applying one never reads MySQL. Payloads are versioned; an event of an unknown type or version stops the projector.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { formatMinor, minorFromDecimal, type Minor } from './money';

export interface OrderLine {
  productId: number;
  quantity: number;
  unitPrice: Minor;
}

/** An order as the log states it. */
export interface Order {
  orderId: number;
  userId: number;
  total: Minor;
  /** ISO 8601, UTC, milliseconds. */
  createdAt: string;
  /** In line order. */
  lines: OrderLine[];
}

export type TallyEvent =
  | { type: 'OrderCreated'; order: Order }
  /** Carries the order as it was logged, so that exactly what was added is taken away. */
  | { type: 'OrderDeleted'; order: Order }
  /** Also says that a product's name or SKU changed: it replaces what was stated before. */
  | { type: 'ProductAdded'; productId: number; name: string; sku: string }
  | { type: 'ProductRemoved'; productId: number }
  | { type: 'UserRegistered'; userId: number; name: string }
  | { type: 'UserRemoved'; userId: number };

/** An event and its place in the log. */
export interface LoggedEvent {
  position: number;
  /** Hexadecimal; with the position it identifies history. */
  commandId: string;
  event: TallyEvent;
  /** ISO 8601, UTC. */
  occurredAt: string;
}

/** A position and the identity of the event there. */
export interface Tip {
  position: number;
  commandId: string;
}

export function tipOf(logged: LoggedEvent): Tip {
  return { position: logged.position, commandId: logged.commandId };
}

/** `position:command_id`, as it stands in `{tally:g}:applied`. */
export function formatTip(tip: Tip): string {
  return `${tip.position}:${tip.commandId}`;
}

const TIP = /^(\d{1,16}):([0-9a-f]{32})$/;

/** The inverse of `formatTip`; undefined for anything else (a key that was edited by hand). */
export function parseTip(text: string): Tip | undefined {
  const match = TIP.exec(text);
  return match?.[1] && match[2] ? { position: Number(match[1]), commandId: match[2] } : undefined;
}

/** Revenue of one line, in minor units. */
export function lineRevenue(line: OrderLine): Minor {
  return BigInt(line.quantity) * line.unitPrice;
}

/**
 * A checksum of an order's content, kept in its row: a row that no longer matches was changed by another program.
 * CRC-32 finds every edit of up to four adjacent bytes, and any other with a chance of 1 − 2⁻³².
 */
export function fingerprint(order: Omit<Order, 'orderId'>): number {
  const lines = order.lines.map((line) => `${line.productId}:${line.quantity}:${line.unitPrice}`).join(';');
  return crc32(`${order.userId}|${order.total}|${order.createdAt}|${lines}`);
}

/** The id of the order, product or user that the event is about. */
export function subjectId(event: TallyEvent): number {
  switch (event.type) {
    case 'OrderCreated':
    case 'OrderDeleted':
      return event.order.orderId;
    case 'ProductAdded':
    case 'ProductRemoved':
      return event.productId;
    case 'UserRegistered':
    case 'UserRemoved':
      return event.userId;
  }
}

/** How the event changes the number of orders that exist. */
export function ordersDelta(event: TallyEvent): number {
  if (event.type === 'OrderCreated') return 1;
  return event.type === 'OrderDeleted' ? -1 : 0;
}

const VERSION = 1;
const id = z.int().positive();

const orderPayload = z.object({
  v: z.literal(VERSION),
  order_id: id,
  user_id: id,
  total_amount: z.string(),
  created_at: z.string(),
  items: z.array(z.object({ product_id: id, quantity: z.int().nonnegative(), unit_price: z.string() })),
});
const productAddedPayload = z.object({
  v: z.literal(VERSION),
  product_id: id,
  name: z.string(),
  sku: z.string(),
});
const productRemovedPayload = z.object({ v: z.literal(VERSION), product_id: id });
const userRegisteredPayload = z.object({ v: z.literal(VERSION), user_id: id, name: z.string() });
const userRemovedPayload = z.object({ v: z.literal(VERSION), user_id: id });

/** The event as JSON text for `order_events.payload`. */
export function encodePayload(event: TallyEvent): string {
  switch (event.type) {
    case 'OrderCreated':
    case 'OrderDeleted': {
      const { orderId, userId, total, createdAt, lines } = event.order;
      const items = lines.map((line) => ({
        product_id: line.productId,
        quantity: line.quantity,
        unit_price: formatMinor(line.unitPrice),
      }));
      const payload: z.input<typeof orderPayload> = {
        v: VERSION,
        order_id: orderId,
        user_id: userId,
        total_amount: formatMinor(total),
        created_at: createdAt,
        items,
      };
      return JSON.stringify(payload);
    }
    case 'ProductAdded':
      return JSON.stringify({ v: VERSION, product_id: event.productId, name: event.name, sku: event.sku });
    case 'ProductRemoved':
      return JSON.stringify({ v: VERSION, product_id: event.productId });
    case 'UserRegistered':
      return JSON.stringify({ v: VERSION, user_id: event.userId, name: event.name });
    case 'UserRemoved':
      return JSON.stringify({ v: VERSION, user_id: event.userId });
  }
}

/** The log holds an event that this release does not know. It must not be skipped: run a release that knows it. */
class UnknownEventError extends Error {
  override readonly name = 'UnknownEventError';
}

/**
 * The inverse of `encodePayload`.
 * @throws UnknownEventError for a type or version that this release does not know.
 */
export function decodeEvent(type: string, payload: string): TallyEvent {
  try {
    const json: unknown = JSON.parse(payload);
    switch (type) {
      case 'OrderCreated':
      case 'OrderDeleted':
        return { type, order: decodeOrder(orderPayload.parse(json)) };
      case 'ProductAdded': {
        const { product_id, name, sku } = productAddedPayload.parse(json);
        return { type, productId: product_id, name, sku };
      }
      case 'ProductRemoved':
        return { type, productId: productRemovedPayload.parse(json).product_id };
      case 'UserRegistered': {
        const { user_id, name } = userRegisteredPayload.parse(json);
        return { type, userId: user_id, name };
      }
      case 'UserRemoved':
        return { type, userId: userRemovedPayload.parse(json).user_id };
      default:
        throw new Error('unknown type');
    }
  } catch (error) {
    throw new UnknownEventError(
      `this release cannot read an event of type ${type}: ${payload.slice(0, 200)}`,
      {
        cause: error,
      },
    );
  }
}

function decodeOrder(payload: z.output<typeof orderPayload>): Order {
  return {
    orderId: payload.order_id,
    userId: payload.user_id,
    total: minorFromDecimal(payload.total_amount),
    createdAt: payload.created_at,
    lines: payload.items.map((item) => ({
      productId: item.product_id,
      quantity: item.quantity,
      unitPrice: minorFromDecimal(item.unit_price),
    })),
  };
}
