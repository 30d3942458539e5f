import type { Edit } from './build';
import type { FaultName } from './faults';

/** A bug of the kind that services of this sort have had, which the checker must catch. */
export interface PlantedBug {
  name: string;
  about: string;
  /** What makes a copy of the sources have it. */
  edits: Edit[];
  /** Those under which it shows; rounds of them follow each other. */
  faults: FaultName[];
  seconds: number;
  /** What the checker must say: anything else may have other reasons. */
  caughtBy: RegExp;
}

const WRONG_FIGURES = /a read is not what the log says|found drift that nobody caused/;

const SCRIPTS = 'read-model/scripts';

export const PLANTED_BUGS: PlantedBug[] = [
  {
    name: 'apply-without-compare',
    about: 'events are applied without a look at what is applied already',
    edits: [
      {
        file: `${SCRIPTS}/apply.lua`,
        find: 'if applied ~= expected then',
        replace: 'if false then',
      },
    ],
    faults: ['apply-answer-lost', 'kill-service'],
    seconds: 4,
    caughtBy: WRONG_FIGURES,
  },
  {
    name: 'increment-retried',
    about: 'events that were applied already are applied again, as a blind retry of INCRBY does',
    edits: [
      {
        file: `${SCRIPTS}/apply.lua`,
        find: "return { 'already', applied }",
        replace: "run(ARGV[4]) return { 'already', applied }",
      },
    ],
    faults: ['apply-answer-lost', 'redis-cut'],
    seconds: 6,
    caughtBy: WRONG_FIGURES,
  },
  {
    name: 'create-overtakes-delete',
    about: 'of a creation and a deletion that are applied together, the creation has the last word',
    edits: [
      {
        file: 'read-model/changes.ts',
        find: 'this.texts.set(key, null);',
        replace: 'if (!this.texts.has(key)) this.texts.set(key, null);',
      },
      {
        file: 'read-model/changes.ts',
        find: "idsOf(this.lists, key).set(operation.id, operation.kind === 'add-id');",
        replace:
          "if (!idsOf(this.lists, key).has(operation.id)) idsOf(this.lists, key).set(operation.id, operation.kind === 'add-id');",
      },
    ],
    faults: ['redis-cut', 'redis-freeze'],
    seconds: 6,
    caughtBy: /a read is not what the log says|found drift that nobody caused|did not become right/,
  },
  {
    name: 'event-lost',
    about: 'now and then an event is passed over',
    edits: [
      {
        file: 'projections/projector/batch.ts',
        find: 'const operations = project(keys, logged.event);',
        replace: 'const operations = logged.position % 61 === 0 ? [] : project(keys, logged.event);',
      },
    ],
    faults: ['kill-service'],
    seconds: 4,
    caughtBy: /a read is not what the log says/,
  },
  {
    name: 'gap-in-the-log',
    about: 'now and then a position is left out, as auto-increment does after a rollback',
    edits: [
      {
        file: 'mysql/log.ts',
        find: 'LAST_INSERT_ID(position + ?), tip',
        replace: 'LAST_INSERT_ID(position + ?) + (RAND() < 0.02), tip',
      },
    ],
    faults: ['kill-service'],
    seconds: 4,
    caughtBy: /the log has a gap|the head says/,
  },
  {
    name: 'float-money',
    about: 'the revenue of a line is computed with a floating point number',
    edits: [
      {
        file: 'domain/events.ts',
        find: 'return BigInt(line.quantity) * line.unitPrice;',
        replace: 'return BigInt(Math.trunc(line.quantity * (Number(line.unitPrice) / 100) * 100));',
      },
    ],
    faults: ['kill-service'],
    seconds: 3,
    caughtBy: /logged as something else/,
  },
  {
    name: 'repair-without-fence',
    about: 'a repair neither keeps others from applying nor notices that they did',
    edits: [
      {
        file: `${SCRIPTS}/restore.lua`,
        find: 'if applied ~= ARGV[1] then',
        replace: 'if not applied then',
      },
      {
        file: 'projections/resync/verify.ts',
        find: 'if (!(await takeLock(this.redis, this.keys.fence, token, FENCE_TTL_MS))) {',
        replace: 'if (attempt < 1) {',
      },
      {
        // The time that a slow network takes.
        file: 'projections/resync/verify.ts',
        find: 'const content = this.expectation.content(slice);',
        replace: 'const content = this.expectation.content(slice); await delay(60);',
      },
    ],
    faults: ['change-key', 'wrong-type'],
    seconds: 18,
    caughtBy: WRONG_FIGURES,
  },
  {
    name: 'rebuild-misses-events',
    about: 'a rebuild says that it contains what was committed while it read its snapshot',
    edits: [
      {
        file: 'projections/resync/rebuild.ts',
        find: 'const verification = await verify(redis, database, keys, { repair: true, work });',
        replace:
          'const verification = { generation: keys.generation, position: 0, orders, drift: 0, repaired: 0, findings: [], unadopted: [] };',
      },
      {
        file: 'projections/resync/rebuild.ts',
        find: 'await builder.end(tipOfHead(snapshot.head));',
        replace: 'await builder.end(tipOfHead(await database.session(readHead)));',
      },
      {
        file: 'projections/resync/rebuild.ts',
        find: "import { readAfter } from '../../mysql/log';",
        replace: "import { readAfter, readHead } from '../../mysql/log';",
      },
    ],
    faults: ['flushall', 'rebuild-twice'],
    seconds: 6,
    caughtBy: WRONG_FIGURES,
  },
  {
    name: 'lost-commit-is-a-failure',
    about: 'a COMMIT whose answer is lost is reported as not carried out',
    edits: [
      {
        file: 'commands/writer/writer.ts',
        find: 'const [found] = await this.resolve([command], error);',
        replace: 'const [found] = []; throw finalProblem(error.cause);',
      },
      {
        file: 'commands/writer/writer.ts',
        find: 'return this.settleUnanswered(batch, error);',
        replace: "return batch.map(() => ({ status: 'rejected', reason: finalProblem(error.cause) }));",
      },
    ],
    faults: ['commit-answer-lost'],
    seconds: 4,
    caughtBy: /refused, but at position/,
  },
  {
    name: 'lost-commit-is-repeated',
    about: 'a COMMIT whose answer is lost is carried out again without a look',
    edits: [
      {
        file: 'commands/writer/writer.ts',
        find: 'const [found] = await this.resolve([command], error);',
        replace:
          'const [found] = []; command = { ...command, identity: { ...command.identity, commandId: Buffer.from(crypto.randomUUID().slice(0, 16)) } };',
      },
      {
        file: 'commands/writer/writer.ts',
        find: 'return this.settleUnanswered(batch, error);',
        replace:
          'return Promise.allSettled(batch.map((each) => this.execute(alone({ ...each, identity: { ...each.identity, commandId: Buffer.from(crypto.randomUUID().slice(0, 16)) } }))));',
      },
    ],
    faults: ['commit-answer-lost'],
    seconds: 4,
    caughtBy: /doubled/,
  },
  {
    name: 'stale-read',
    about: 'a read does not wait for the position that it was asked for',
    edits: [
      {
        file: 'read-model/reader.ts',
        find: 'if (reading.position >= minPosition) return reading;',
        replace: 'if (minPosition >= 0) return reading;',
      },
    ],
    faults: ['redis-out-of-memory', 'redis-delay'],
    seconds: 5,
    caughtBy: /went back behind the position/,
  },
  {
    name: 'adoption-adds-only',
    about: 'an order that another program changed is added to the reports without taking the old one away',
    edits: [
      {
        file: 'commands/reconcile.ts',
        find: "if (logged?.type === 'OrderCreated') events.push({ type: 'OrderDeleted', order: logged.order });",
        replace: '',
      },
    ],
    faults: ['other-program', 'repair-twice'],
    seconds: 10,
    caughtBy: /creates order \d+, which exists/,
  },
  {
    name: 'key-ignored',
    about: 'two requests with one Idempotency-Key are carried out twice',
    edits: [
      {
        file: 'http/commands.ts',
        find: "if (typeof key !== 'string') return uniqueIdentity();",
        replace: "if (typeof key !== 'number') return uniqueIdentity();",
      },
    ],
    faults: ['kill-service'],
    seconds: 3,
    caughtBy: /doubled/,
  },
  {
    name: 'ghost-in-a-list',
    about: 'a deleted order stays in the list of its user',
    edits: [
      {
        file: 'projections/project.ts',
        find: "{ kind: 'remove-id', key: keys.userOrders(order.userId), id: order.orderId },",
        replace: '',
      },
    ],
    faults: ['kill-service'],
    seconds: 3,
    caughtBy: /a read is not what the log says|did not become right/,
  },
  {
    name: 'half-a-transaction',
    about: 'half a transaction that Redis carries out at a later start goes unnoticed',
    edits: [
      {
        file: 'read-model/inspect.ts',
        find: 'const isWhole = Array.isArray(writes) && writes[0] === writes[1];',
        replace: 'const isWhole = true;',
      },
      {
        file: `${SCRIPTS}/complete.lua`,
        find: 'if counts.err or counts[1] ~= counts[2] then return false end',
        replace: '',
      },
    ],
    faults: ['redis-cut-log'],
    seconds: 12,
    caughtBy: WRONG_FIGURES,
  },
  {
    name: 'dead-connection-kept',
    about: 'a connection to Redis that is dead at the other end is used for ever',
    edits: [
      {
        file: 'redis/client.ts',
        find: 'socketTimeout: config.REDIS_TIMEOUT_MS,',
        replace: '',
      },
    ],
    faults: ['redis-half-open'],
    seconds: 3,
    caughtBy: /does not take orders again|left hanging/,
  },
];
