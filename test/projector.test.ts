import { pino } from 'pino';
import { openCore, redisReady } from '../src/app';
import { migrate } from '../src/mysql/migrate';
import { Projector } from '../src/projections/projector/projector';
import { newPlace, until } from './support/tally';

const POLL_MS = 50;

test('without a read model the projector asks for one at every poll, however many events wait', async () => {
  const place = await newPlace();
  await migrate(place.config.DATABASE_URL, 5000);
  const log = pino({ level: 'silent' });
  const core = openCore(place.config, log);
  const asked: number[] = [];
  const projector = new Projector(core.redis.projector, core.databases.reads, core.live, {
    pollMs: POLL_MS,
    log,
    onApplied: () => undefined,
    onLost: () => asked.push(performance.now()),
  });
  try {
    await redisReady(core.redis.projector, 5000);
    projector.start();
    await until(() => asked.length > 0);
    const seenBefore = asked.length;
    const event = { type: 'UserRemoved' as const, userId: 1 };
    const logged = { position: 1, commandId: 'a'.repeat(32), event, occurredAt: new Date().toISOString() };
    projector.offer({ base: { position: 0, commandId: 'b'.repeat(32) }, events: [logged] });
    await until(() => asked.length >= seenBefore + 5);
    // A loop that does not wait for the poll would ask as fast as Redis answers. A slow machine only takes longer.
    const elapsedMs = (asked.at(-1) ?? 0) - (asked.at(-4) ?? 0);
    expect(elapsedMs).toBeGreaterThan(2 * POLL_MS);
    expect(projector.status().stalled).toBe('there is no read model yet');
  } finally {
    await projector.stop();
    await core.close();
    await place.close();
  }
});
