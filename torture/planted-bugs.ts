import type { Edit } from './build';
import type { FaultName } from './faults';

/** A bug of a kind that services like this one have had. The checker must catch it. */
export interface PlantedBug {
  name: string;
  about: string;
  /** What makes a copy of the sources have it. */
  edits: Edit[];
  /** Those under which it shows, in rounds of all of them. */
  faults: FaultName[];
  seconds: number;
  /** Where it needs many. */
  clients?: number;
  /** What the checker must say: anything else may have other reasons. */
  caughtBy: RegExp;
}

const WRONG_FIGURES = /a read is not what the log says|found drift that nobody caused/;

export const PLANTED_BUGS: PlantedBug[] = [
  {
    name: 'apply-without-compare',
    about: 'events are applied without a look at the checkpoint',
    edits: [
      {
        file: 'read-model/advance.lua',
        find: "if at ~= expected then return { 'elsewhere', at } end",
        replace: '',
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
        file: 'read-model/advance.lua',
        find: "if at ~= expected then return { 'elsewhere', at } end",
        replace: "if at ~= expected then if at == next then run(ARGV[5]) end return { 'elsewhere', at } end",
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
        find: 'this.hashes.set(key, fields);',
        replace: 'if (fields !== null || !this.hashes.has(key)) this.hashes.set(key, fields);',
      },
      {
        file: 'read-model/changes.ts',
        find: 'this.lists.set(key, (ids = new Map()));\n    ids.set(id, listed);',
        replace:
          'this.lists.set(key, (ids = new Map()));\n    if (listed || !ids.has(id)) ids.set(id, listed);',
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
        file: 'mysql/append.ts',
        find: 'LAST_INSERT_ID(position + ?), event_id',
        replace: 'LAST_INSERT_ID(position + ?) + (RAND() < 0.02), event_id',
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
        file: 'domain/order.ts',
        find: 'return BigInt(line.quantity) * line.unitPrice;',
        replace: 'return BigInt(Math.trunc(line.quantity * (Number(line.unitPrice) / 100) * 100));',
      },
    ],
    faults: ['kill-service'],
    seconds: 3,
    caughtBy: /acknowledged as something else/,
  },
  {
    name: 'repair-without-fence',
    about: 'a repair neither keeps others from applying nor notices that they did',
    edits: [
      {
        // What is set is right for where the checkpoint was, not for where it is.
        file: 'read-model/advance.lua',
        find: "if at ~= expected then return { 'elsewhere', at } end",
        replace:
          "if at ~= expected then if expected ~= next then return { 'elsewhere', at } end next = at end",
      },
      {
        file: 'projections/resync/comparison.ts',
        find: 'if (!(await takeFence(redis, keys, fenceToken))) {',
        replace: 'if (attempt < 1) {',
      },
      {
        // The time that a slow network takes.
        file: 'projections/resync/comparison.ts',
        find: 'const expected = this.expectation.content(slice);',
        replace: 'const expected = this.expectation.content(slice); await delay(60);',
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
        find: 'await verifyAndRepair(applying, database, work);',
        replace:
          '{ generation: keys.generation, position: 0, orders, drift: 0, repaired: 0, findings: [], outOfBand: [] };',
      },
      {
        file: 'projections/resync/rebuild.ts',
        find: 'await builder.end(snapshot.head);',
        replace: "await builder.end(await database.session(require('../../mysql/log').readHead));",
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
        find: "if (error instanceof CommitInDoubt) await this.resolve(group.filter(({ stage }) => stage === 'sent'));",
        replace:
          "for (const pending of group) pending.fail(new Problem('overloaded', 'nothing was changed'));",
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
        find: "if (error instanceof CommitInDoubt) await this.resolve(group.filter(({ stage }) => stage === 'sent'));",
        replace:
          "for (const { command } of group) command.identity = { ...command.identity, eventId: crypto.randomUUID().replaceAll('-', '') };",
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
        find: 'if (minPosition === undefined || (await this.contains(at, minPosition, deadline))) return reading;',
        replace: 'return reading;',
      },
    ],
    faults: ['redis-out-of-memory', 'redis-delay'],
    seconds: 5,
    caughtBy: /went back behind the position/,
  },
  {
    name: 'reconcile-adds-only',
    about: 'an order that another program changed is added to the reports without taking the old one away',
    edits: [
      {
        file: 'commands/reconcile.ts',
        find: 'const events = outcome.events.map(',
        replace:
          "const events = outcome.events.filter(({ type }) => type !== 'OrderDeleted' || stated === undefined).map(",
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
        file: 'http/command-route.ts',
        find: "if (typeof key !== 'string') return uniqueIdentity();",
        replace: "if (typeof key !== 'number') return uniqueIdentity();",
      },
    ],
    faults: ['kill-service'],
    seconds: 3,
    caughtBy: /doubled/,
  },
  {
    name: 'deleted-order-listed',
    about: 'a deleted order stays in the list of its user',
    edits: [
      {
        file: 'projections/project.ts',
        find: "{ kind: 'list', key: keys.userOrders(userId), id, listed },",
        replace: "{ kind: 'list', key: keys.userOrders(userId), id, listed: true },",
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
        file: 'read-model/checkpoint.lua',
        find: 'if fields.err or fields[2] ~= fields[3] then return false end',
        replace: 'if fields.err then return false end',
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
  {
    name: 'wrong-ids',
    about: 'lines and events of a group get the id of the next order, and nothing compares the fingerprints',
    edits: [
      {
        file: 'mysql/tables/orders.ts',
        find: 'IF(GROUP_CONCAT(fingerprint ORDER BY id) = ? AND MAX(id) <= ${HIGHEST_ID},',
        replace: "IF(? <> '' AND (@size := COUNT(*)) > 0,",
      },
      {
        file: 'mysql/tables/inserted.ts',
        find: "place === 0 ? '@inserted' : `@inserted + ${place} * @@auto_increment_increment`",
        replace: '`@inserted + (${place} + 1) % @size * @@auto_increment_increment`',
      },
      {
        file: 'mysql/tables/inserted.ts',
        find: 'LAST_INSERT_ID(), NULL)`',
        replace: 'LAST_INSERT_ID(), NULL), @size = 1`',
      },
    ],
    faults: ['kill-service'],
    seconds: 4,
    clients: 64,
    caughtBy: /acknowledged as something else|MySQL disagrees with itself/,
  },
  {
    name: 'diverged-unnoticed',
    about: 'a larger checkpoint is taken as progress, without a look at its identity',
    edits: [
      {
        file: 'projections/projector/recent-history.ts',
        find: 'if (positions.every((position) => this.knows(position))) return [...positions];',
        replace: 'if (positions.length > 0) return [...positions];',
      },
    ],
    faults: ['mysql-restored'],
    seconds: 12,
    caughtBy: /an answer from a log that was lost before|a read is not what the log says/,
  },
  {
    name: 'reads-give-up',
    about: 'now and then a read is answered 503 for no reason',
    edits: [
      {
        file: 'read-model/reader.ts',
        find: 'const deadline = performance.now() + this.waitMs;',
        replace:
          "const deadline = performance.now() + this.waitMs; if (Math.random() < 0.05) throw new Problem('read-model-behind', '');",
      },
    ],
    faults: ['mysql-kill'],
    seconds: 4,
    caughtBy: /a request failed that nothing hindered/,
  },
  {
    name: 'commands-need-redis',
    about: 'a command whose event is not in the reports in time is answered 503',
    edits: [
      {
        file: 'http/command-route.ts',
        find: 'const projected = await context.awaitProjected(logged);',
        replace:
          "const projected = await context.awaitProjected(logged); if (!projected) throw Object.assign(new Error('late'), { statusCode: 503 });",
      },
    ],
    faults: ['redis-freeze'],
    seconds: 6,
    caughtBy: /a request failed that nothing hindered/,
  },
  {
    name: 'answers-of-a-group-mixed',
    about: 'in a transaction of several commands, everybody is answered with the event of the first',
    edits: [
      {
        file: 'commands/writer/transaction.ts',
        find: 'accepted.set(member, events.length - 1);',
        replace: 'accepted.set(member, 0);',
      },
    ],
    faults: ['kill-service'],
    seconds: 4,
    clients: 64,
    caughtBy: /acknowledged as something else/,
  },
  {
    name: 'lone-receipt-lost',
    about: 'a command that is alone in its transaction does not write down which request it was',
    edits: [
      {
        file: 'commands/writer/transaction.ts',
        find: 'const { ended, accepted, events, rows } = decideGroup(inTime, facts, logged);',
        replace:
          'const { ended, accepted, events, rows } = decideGroup(inTime, facts, logged); if (group.length === 1) for (const event of events) event.requestHash = null;',
      },
    ],
    faults: ['commit-answer-lost', 'mysql-cut'],
    seconds: 6,
    caughtBy: /an internal error|refused, but at position/,
  },
  {
    name: 'answers-of-mysql-awaited-for-ever',
    about: 'of all bounds one is missing: that of the wait for the answer to a packet',
    edits: [
      {
        file: 'mysql/session.ts',
        find: "promiseWithin<QueryResult>(timeoutMs, 'answer of MySQL',",
        replace: "promiseWithin<QueryResult>(2 ** 30, 'answer of MySQL',",
      },
    ],
    faults: ['mysql-black-hole'],
    seconds: 8,
    caughtBy: /does not take orders again|a request failed that nothing hindered|did not become whole/,
  },
];
