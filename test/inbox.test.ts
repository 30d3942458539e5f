import type { LoggedEvent, Tip } from '../src/domain/events';
import { Inbox } from '../src/projections/projector/pending-events';

const tip = (position: number, letter: string): Tip => ({ position, commandId: letter.repeat(32) });

const logged = (position: number, letter: string): LoggedEvent => ({
  ...tip(position, letter),
  event: { type: 'UserRemoved', userId: 1 },
  occurredAt: '2026-11-21T10:00:00.000Z',
});

test('events that arrive out of order leave in order, up to the first gap', () => {
  const inbox = new Inbox();
  inbox.offer({ base: tip(2, 'b'), events: [logged(3, 'c')] });
  inbox.offer({ base: tip(4, 'd'), events: [logged(5, 'e')] });
  inbox.offer({ base: tip(1, 'a'), events: [logged(2, 'b')] });
  expect(inbox.oldestRun()).toEqual({ base: tip(1, 'a'), events: [logged(2, 'b'), logged(3, 'c')] });
  inbox.dropThrough(3);
  expect(inbox.oldestRun()).toEqual({ base: tip(4, 'd'), events: [logged(5, 'e')] });
  inbox.clear();
  expect(inbox.oldestRun()).toBeUndefined();
});

test('a run ends where an event was committed onto another one: a failover lost it', () => {
  const inbox = new Inbox();
  inbox.offer({ base: tip(100, 'x'), events: [logged(101, 'a')] });
  inbox.offer({ base: tip(101, 'b'), events: [logged(102, 'c')] });
  expect(inbox.oldestRun()).toEqual({ base: tip(100, 'x'), events: [logged(101, 'a')] });
});

test('a full inbox says so: the events are read from MySQL instead', () => {
  const inbox = new Inbox();
  const many = Array.from({ length: 10_000 }, (_, index) => logged(index + 1, 'a'));
  expect(inbox.offer({ base: tip(0, 'x'), events: many })).toBe(true);
  expect(inbox.offer({ base: tip(10_000, 'a'), events: [logged(10_001, 'b')] })).toBe(false);
});
