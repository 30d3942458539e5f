import { pino } from 'pino';
import { eventId, instantAt, positionOf, userId } from '../src/domain/ids';
import { migrate } from '../src/mysql/migrate';
import { Projector } from '../src/projections/projector/projector';
import { openHere } from './support/stores';
import { newPlace, until } from './support/tally';

const POLL_MS = 50;

test('without a read model the projector asks for one at every poll, however many events wait', async () => {
  const place = await newPlace();
  await migrate(place.config.DATABASE_URL, 5000);
  const log = pino({ level: 'silent' });
  const stores = await openHere(place);
  const { logId } = await stores.followLog();
  const asked: number[] = [];
  const projector = new Projector(stores.redis, stores.databases, stores.live, {
    pollMs: POLL_MS,
    log,
    onApplied: () => undefined,
    onLost: () => asked.push(performance.now()),
  });
  try {
    projector.start();
    await until(() => asked.length > 0);
    const seenBefore = asked.length;
    const logged = {
      position: positionOf(1),
      eventId: eventId('a'.repeat(32)),
      event: { type: 'UserRemoved' as const, userId: userId(1) },
      occurredAt: instantAt(Date.now()),
    };
    projector.offer({ logId, base: { position: positionOf(0), eventId: eventId(logId) }, events: [logged] });
    await until(() => asked.length >= seenBefore + 5);
    // A loop that does not wait for the poll would ask as fast as Redis answers. A slow machine only takes longer.
    const elapsedMs = (asked.at(-1) ?? 0) - (asked.at(-4) ?? 0);
    expect(elapsedMs).toBeGreaterThan(2 * POLL_MS);
    expect(projector.status().stalled).toBe('there is no read model yet');
  } finally {
    await projector.stop();
    await stores.close();
    await place.close();
  }
});
