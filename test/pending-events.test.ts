import type { LoggedEvent } from '../src/domain/events';
import { eventId, instant, positionOf, userId } from '../src/domain/ids';
import type { LogPosition } from '../src/domain/log-position';
import { PendingEvents } from '../src/projections/projector/pending-events';

const at = (position: number, letter: string): LogPosition => ({
  position: positionOf(position),
  eventId: eventId(letter.repeat(32)),
});

const logged = (position: number, letter: string): LoggedEvent => ({
  ...at(position, letter),
  event: { type: 'UserRemoved', userId: userId(1) },
  occurredAt: instant('2026-11-21T10:00:00.000Z'),
});

test('events that arrive out of order leave in order, up to the first gap', () => {
  const pending = new PendingEvents();
  pending.offer({ base: at(2, 'b'), events: [logged(3, 'c')] });
  pending.offer({ base: at(4, 'd'), events: [logged(5, 'e')] });
  pending.offer({ base: at(1, 'a'), events: [logged(2, 'b')] });
  expect(pending.oldestRun()).toEqual({ base: at(1, 'a'), events: [logged(2, 'b'), logged(3, 'c')] });
  pending.dropThrough(3);
  expect(pending.oldestRun()).toEqual({ base: at(4, 'd'), events: [logged(5, 'e')] });
  pending.clear();
  expect(pending.oldestRun()).toBeUndefined();
});

test('a run ends where an event was committed onto another one: a failover lost it', () => {
  const pending = new PendingEvents();
  pending.offer({ base: at(100, 'f'), events: [logged(101, 'a')] });
  pending.offer({ base: at(101, 'b'), events: [logged(102, 'c')] });
  expect(pending.oldestRun()).toEqual({ base: at(100, 'f'), events: [logged(101, 'a')] });
});

test('where too many are pending, the next are read from MySQL instead', () => {
  const pending = new PendingEvents();
  const many = Array.from({ length: 10_000 }, (_, index) => logged(index + 1, 'a'));
  expect(pending.offer({ base: at(0, 'e'), events: many })).toBe(true);
  expect(pending.offer({ base: at(10_000, 'a'), events: [logged(10_001, 'b')] })).toBe(false);
});

test('what lies beyond a head that was asked for later was lost by MySQL', () => {
  const pending = new PendingEvents();
  pending.offer({ base: at(1, 'a'), events: [logged(2, 'b'), logged(3, 'c')] });
  pending.dropLost({ position: positionOf(2), askedAt: 0 }); // asked for before they were committed
  expect(pending.size).toBe(2);
  pending.dropLost({ position: positionOf(2), askedAt: performance.now() + 1 });
  expect(pending.oldestRun()).toEqual({ base: at(1, 'a'), events: [logged(2, 'b')] });
});
