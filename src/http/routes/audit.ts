import { z } from 'zod';
import { auditPage, readAudit, type AuditPlace } from '../../audit';
import type { HttpContext } from '../context';
import { limit } from '../requests';
import { route } from '../route';
import type { App } from '../server';
import { storedRoute } from '../stored-route';

const NEWEST: AuditPlace = { position: Number.MAX_SAFE_INTEGER, accessId: Number.MAX_SAFE_INTEGER };
const CURSOR = /^\d{1,16}-\d{1,16}$/;
const NO_CURSOR = 'must be a next_cursor of an earlier answer';

const cursor = z
  .string()
  .regex(CURSOR, NO_CURSOR)
  .meta({ description: '`next_cursor` of the page before', examples: ['42-7'] })
  .transform((text, context): AuditPlace => {
    const [position = NaN, accessId = NaN] = text.split('-').map(Number);
    if (Number.isSafeInteger(position) && Number.isSafeInteger(accessId)) return { position, accessId };
    context.addIssue(NO_CURSOR);
    return z.NEVER;
  });

const auditQuery = z
  .strictObject({ limit: limit(20), cursor: cursor.optional() })
  .transform(({ limit, cursor = NEWEST }) => ({ limit, from: cursor }));

/** Who did what, from MySQL. */
export function auditRoutes(app: App, { database }: HttpContext): void {
  route(
    app,
    'GET /audit',
    storedRoute(
      {
        tags: ['operations'],
        operationId: 'getAudit',
        summary: 'Who created or deleted what, refused keys and changes of keys, newest first',
        description:
          'Commands stay for ever, the rest for `AUDIT_DAYS`. A refused key is here some seconds later; equal refusals are ' +
          'one entry with a `count`. In a flood, `left-out` says how many there was no room for.',
        querystring: auditQuery,
        answer: auditPage,
      },
      ({ query }) => readAudit(database, query),
    ),
  );
}
