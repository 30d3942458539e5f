/** Who did what, read from MySQL: commands from the log, and what happened to access from a table of its own. */
import { z } from 'zod';
import { count, id, nextCursor, time } from './domain/answers';
import { readFrom, type Database } from './mysql/pool';
import { loggedCommands, type LoggedCommand } from './mysql/log';
import { accessEvents, type StoredAccessEvent } from './mysql/tables/access-events';
import type { PrincipalRow } from './mysql/tables/principals';

const text = (description: string, example: string) => z.string().meta({ description, examples: [example] });

const who = z
  .object({ principal_id: id, kind: z.enum(['program', 'person']), name: z.string() })
  .nullable()
  .meta({ description: 'Null where nobody had to say who he is, and for what Tally or its operator does' });

const about = z
  .object({
    kind: text('`order`, `product`, `user`, `key` or `person`', 'order'),
    id: text('Its id; of a key the 12 digits after `tally_`', '17'),
    owner: z
      .string()
      .nullable()
      .meta({ description: 'Whose key it is, where such a key exists; the name of a person' }),
  })
  .nullable();

const entry = z.object({
  occurred_at: time.meta({ description: 'Of the last one, where several were joined' }),
  what: text(
    'Such as `order-created`, `user-erased`, `key-refused`, `key-created`, `logged-in`, `login-refused`',
    'order-created',
  ),
  who,
  about,
  reason: z.string().nullable().meta({
    description:
      'Why something was refused: `unknown`, `wrong-secret`, `revoked`, `expired`, `forbidden`, `cross-site`, or a problem',
  }),
  route: z.string().nullable().meta({ description: 'What a refused request asked for' }),
  address: z.string().nullable().meta({ description: 'From where a refused request came' }),
  count: count.meta({ description: 'How many equal ones it stands for' }),
  position: count.nullable().meta({ description: 'Of a command: its position in the log' }),
});

export const auditPage = z.object({ entries: z.array(entry), next_cursor: nextCursor });

type Entry = z.output<typeof entry>;

/** Where a page begins: in the log, and in the table of what happened to access. */
export interface AuditPlace {
  position: number;
  accessId: number;
}

/** Newest first. @throws Problem `overloaded`, `mysql-unreachable` */
export async function readAudit(
  database: Database,
  { limit, from }: { limit: number; from: AuditPlace },
): Promise<z.output<typeof auditPage>> {
  const [commands, accesses] = await readFrom(
    database,
    async (session): Promise<[LoggedCommand[], StoredAccessEvent[]]> => [
      await session.ask(loggedCommands(from.position, limit + 1)),
      await session.ask(accessEvents(from.accessId, limit + 1)),
    ],
  );
  const { merged, taken } = mergeNewest(commands.map(entryOfCommand), accesses.map(entryOfAccess), limit);
  const next: AuditPlace = {
    position: commands[taken[0]]?.position ?? 0,
    accessId: accesses[taken[1]]?.id ?? 0,
  };
  const isLast = next.position === 0 && next.accessId === 0;
  return { entries: merged, next_cursor: isLast ? null : `${next.position}-${next.accessId}` };
}

/**
 * Pure: the newest of two lists. Each stays in its own order, in which times may go back a little, so that a page can begin
 * where the one before ended.
 * @returns also how many were taken of each.
 */
export function mergeNewest<T extends { occurred_at: string }>(
  first: T[],
  second: T[],
  limit: number,
): { merged: T[]; taken: [first: number, second: number] } {
  const merged: T[] = [];
  const taken: [number, number] = [0, 0];
  while (merged.length < limit) {
    const a = first[taken[0]];
    const b = second[taken[1]];
    if (a !== undefined && (b === undefined || a.occurred_at >= b.occurred_at)) {
      merged.push(a);
      taken[0] += 1;
    } else if (b !== undefined) {
      merged.push(b);
      taken[1] += 1;
    } else break;
  }
  return { merged, taken };
}

function entryOfCommand({ position, type, subjectId, occurredAt, actor }: LoggedCommand): Entry {
  // `OrderCreated` → `order-created`
  const what = type.replaceAll(/(?<=.)[A-Z]/g, '-$&').toLowerCase();
  const [kind = ''] = what.split('-');
  return {
    occurred_at: occurredAt,
    what,
    who: whoOf(actor),
    about: { kind, id: String(subjectId), owner: null },
    reason: null,
    route: null,
    address: null,
    count: 1,
    position,
  };
}

function entryOfAccess(event: StoredAccessEvent): Entry {
  const { occurredAt, what, principal, reason, route, address, count } = event;
  return {
    occurred_at: occurredAt,
    what,
    who: whoOf(principal),
    about: aboutOf(event),
    reason,
    route,
    address,
    count,
    position: null,
  };
}

function aboutOf({ keyId, keyOwner, personId, personName }: StoredAccessEvent): Entry['about'] {
  if (keyId !== null) return { kind: 'key', id: keyId, owner: keyOwner };
  return personId === null ? null : { kind: 'person', id: String(personId), owner: personName };
}

function whoOf(principal: PrincipalRow | undefined): Entry['who'] {
  return principal === undefined
    ? null
    : { principal_id: principal.id, kind: principal.kind, name: principal.name };
}
