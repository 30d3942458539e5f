import { eventId, positionOf } from '../src/domain/ids';
import {
  afterLook,
  afterJob,
  initialState,
  nextTask,
  type Job,
  type Outcome,
  type ResyncState,
  type Task,
} from '../src/projections/resync/next-task';

const NOW = 1_000_000;
const TIMES = { verifyIntervalMs: 3_600_000, rebuildMinIntervalMs: 300_000 };
/** A model that is live, and was verified a moment ago. */
const healthy: ResyncState = { ...initialState(0), verifyDueAt: NOW + 3_600_000 };

describe('what to do now', () => {
  test.each<[string, Partial<ResyncState>, Task]>([
    ['nothing is due', {}, { kind: 'wait' }],
    ['a service that has just started verifies', { verifyDueAt: NOW }, { kind: 'verify' }],
    ['no generation is live', { model: 'none' }, { kind: 'rebuild', because: 'lost' }],
    ['a model that lost its checkpoint', { model: 'missing' }, { kind: 'rebuild', because: 'lost' }],
    [
      'a lost model comes before a verification',
      { model: 'broken', verifyDueAt: NOW },
      { kind: 'rebuild', because: 'lost' },
    ],
    [
      'a rebuild that failed a moment ago backs off',
      { model: 'none', rebuildNotBefore: NOW + 1 },
      { kind: 'wait' },
    ],
    [
      'a MySQL that was restored once',
      { model: 'diverged', divergedAt: [NOW - 1] },
      { kind: 'rebuild', because: 'lost' },
    ],
    [
      'two divergences within a minute: a copy of the database uses the same Redis',
      { model: 'diverged', divergedAt: [NOW - 30_000, NOW - 1] },
      { kind: 'stand-back' },
    ],
    [
      'ten minutes later it tries again',
      { model: 'diverged', divergedAt: [NOW - 630_000, NOW - 600_001] },
      { kind: 'rebuild', because: 'lost' },
    ],
    [
      'drift that could not be repaired',
      { unrepaired: 3, driftRebuildNotBefore: NOW },
      { kind: 'rebuild', because: 'drift' },
    ],
    ['… but not more often than it may', { unrepaired: 3, driftRebuildNotBefore: NOW + 1 }, { kind: 'wait' }],
    ['an import that the projection follows', { lagEvents: 100_000, orders: 1_000_000 }, { kind: 'wait' }],
    [
      'an import that runs away from the projection',
      { lagEvents: 400_000, orders: 1_000_000 },
      { kind: 'rebuild', because: 'lag' },
    ],
  ])('%s', (_, state, task) => {
    expect(nextTask({ ...healthy, ...state }, NOW)).toEqual(task);
  });
});

describe('what is known after a look at the projector', () => {
  const at = { position: positionOf(5), eventId: eventId('a'.repeat(32)) };
  const look = { applied: at, lagEvents: 400_000, orders: 1_000_000, stalled: undefined };

  test('how far the live model is behind', () => {
    expect(nextTask(afterLook(healthy, look), NOW)).toEqual({ kind: 'rebuild', because: 'lag' });
  });

  test('right after a rebuild nothing is applied yet, which is no lag', () => {
    const after = afterLook(healthy, { ...look, applied: undefined });
    expect(nextTask(after, NOW)).toEqual({ kind: 'wait' });
  });

  test('a model that another instance has rebuilt is live again, as soon as events get there', () => {
    const lost: ResyncState = { ...healthy, model: 'missing' };
    expect(afterLook(lost, look).model).toBe('live');
    expect(afterLook(lost, { ...look, stalled: 'no checkpoint' }).model).toBe('missing');
  });
});

describe('what is known after a job', () => {
  const lost: Job = { kind: 'rebuild', because: 'lost' };
  const after = (state: Partial<ResyncState>, job: Job, outcome: Outcome, unrepaired = 0) =>
    afterJob({ ...healthy, ...state }, job, outcome, NOW, TIMES, unrepaired);

  test('a rebuild verifies what it builds', () => {
    expect(after({ model: 'none', failedRebuilds: 4 }, lost, 'done')).toMatchObject({
      model: 'live',
      failedRebuilds: 0,
      verifyDueAt: NOW + TIMES.verifyIntervalMs,
    });
  });

  test.each([
    [0, 1_000],
    [1, 2_000],
    [4, 16_000],
    [5, 30_000],
    [50, 30_000],
  ])('a rebuild that fails after %i failures is tried again after %i ms', (failedRebuilds, pauseMs) => {
    expect(after({ model: 'none', failedRebuilds }, lost, 'failed')).toMatchObject({
      failedRebuilds: failedRebuilds + 1,
      rebuildNotBefore: NOW + pauseMs,
    });
  });

  test.each<Outcome>(['unavailable', 'busy', 'no-model'])(
    '%s is no failure of the rebuild: it goes on within a second',
    (outcome) => {
      expect(after({ model: 'none', failedRebuilds: 7 }, lost, outcome)).toMatchObject({
        failedRebuilds: 7,
        rebuildNotBefore: NOW + 1_000,
      });
    },
  );

  test('a verification that could not run is tried again soon, one that ran on its schedule', () => {
    expect(after({}, { kind: 'verify' }, 'unavailable').verifyDueAt).toBe(NOW + 5_000);
    expect(after({}, { kind: 'verify' }, 'failed').verifyDueAt).toBe(NOW + 60_000);
    expect(after({}, { kind: 'verify' }, 'done', 2)).toMatchObject({
      verifyDueAt: NOW + TIMES.verifyIntervalMs,
      unrepaired: 2,
    });
    const onlyAtStart = { ...TIMES, verifyIntervalMs: 0 };
    expect(afterJob(healthy, { kind: 'verify' }, 'done', NOW, onlyAtStart).verifyDueAt).toBe(Infinity);
  });

  test('a rebuild because of drift is not repeated before its time, whatever came of it', () => {
    const drift: Job = { kind: 'rebuild', because: 'drift' };
    for (const outcome of ['done', 'failed', 'busy'] as const) {
      expect(after({ unrepaired: 1 }, drift, outcome).driftRebuildNotBefore).toBe(
        NOW + TIMES.rebuildMinIntervalMs,
      );
    }
  });
});
