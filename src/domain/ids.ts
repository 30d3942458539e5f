declare const brand: unique symbol;

/** A number or text with a meaning of its own: an order's id cannot be passed where a user's id is expected. */
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

export type OrderId = Brand<number, 'OrderId'>;
export type ProductId = Brand<number, 'ProductId'>;
export type UserId = Brand<number, 'UserId'>;

/** A program or a person that may ask for something. */
export type PrincipalId = Brand<number, 'PrincipalId'>;

/** A place in the log: 1, 2, 3 …; 0 is the place before the first event. */
export type Position = Brand<number, 'Position'>;

/** The identity of an event: 16 bytes in hexadecimal. A position says where, an event id says which history. */
export type EventId = Brand<string, 'EventId'>;

/** The identity of a log: 16 bytes in hexadecimal. Every database has a log of its own. */
export type LogId = Brand<string, 'LogId'>;

/** ISO 8601 in UTC with milliseconds: `2026-11-21T10:00:00.000Z`. */
export type Instant = Brand<string, 'Instant'>;

// The constructors are the only place that makes a branded value out of a plain one.

export function orderId(value: number): OrderId {
  checkWholeNumber(value, 1);
  return value as OrderId;
}

export function productId(value: number): ProductId {
  checkWholeNumber(value, 1);
  return value as ProductId;
}

export function userId(value: number): UserId {
  checkWholeNumber(value, 1);
  return value as UserId;
}

export function principalId(value: number): PrincipalId {
  checkWholeNumber(value, 1);
  return value as PrincipalId;
}

export function positionOf(value: number): Position {
  checkWholeNumber(value, 0);
  return value as Position;
}

const HEX_16_BYTES = /^[0-9a-f]{32}$/;

export function eventId(value: string): EventId {
  checkForm(value, HEX_16_BYTES);
  return value as EventId;
}

export function logId(value: string): LogId {
  checkForm(value, HEX_16_BYTES);
  return value as LogId;
}

const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export function instant(value: string): Instant {
  checkForm(value, ISO_UTC);
  return value as Instant;
}

/** The instant of a time in milliseconds since 1970. */
export function instantAt(ms: number): Instant {
  return instant(new Date(ms).toISOString());
}

/** @throws RangeError for anything but a whole number from `least` to 2^53 - 1, the most that JSON states exactly. */
function checkWholeNumber(value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`not an id or position: ${value}`);
}

function checkForm(value: string, pattern: RegExp): void {
  if (!pattern.test(value)) throw new RangeError(`not of the form ${pattern}: ${JSON.stringify(value)}`);
}
