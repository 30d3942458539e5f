import { CREATE_ORDER } from '../../src/commands/create-order';
import { CREATE_PRODUCT } from '../../src/commands/create-product';
import { CREATE_USER } from '../../src/commands/create-user';
import { uniqueIdentity, type CommandIdentity } from '../../src/commands/writer/identity';
import type { Receipt } from '../../src/commands/writer/receipts';
import { Writer, type CommitListener } from '../../src/commands/writer/writer';
import type { Config } from '../../src/config';
import { loadConfig } from '../../src/config';
import { instantAt, type ProductId, type UserId } from '../../src/domain/ids';
import type { Appended } from '../../src/mysql/append';
import { migrate } from '../../src/mysql/migrate';
import { openDatabases, type Databases } from '../../src/mysql/pool';
import type { Place } from './place';

/** The write side of a service, without HTTP and Redis. */
export interface WriteSide {
  databases: Databases;
  writer: Writer;
  /** What was told to be committed. */
  appended: Appended[];
  /** How many commands each committed transaction carried. */
  groups: number[];
  /** How often the projector was told that something may have been committed. */
  nudges(): number;
  order(user: UserId, products: ProductId[], identity?: CommandIdentity): Promise<Receipt<'OrderCreated'>>;
  close(): Promise<void>;
}

export async function startWriteSide(
  place: Place,
  overrides: Record<string, string> = {},
): Promise<WriteSide> {
  const config: Config = loadConfig({ ...place.env, ...overrides });
  await migrate(place.config.DATABASE_URL, 10_000);
  const databases = openDatabases(config);
  const appended: Appended[] = [];
  const groups: number[] = [];
  let nudges = 0;
  const listener: CommitListener = {
    committed(told, commands) {
      appended.push(told);
      groups.push(commands);
    },
    nudge: () => void (nudges += 1),
  };
  const writer = new Writer(databases.commands, listener, {
    timeoutMs: config.MYSQL_TIMEOUT_MS,
    maxWaiting: config.MYSQL_QUEUE_LIMIT,
  });
  return {
    databases,
    writer,
    appended,
    groups,
    nudges: () => nudges,
    order: (userId, products, identity = uniqueIdentity()) =>
      writer.execute(
        CREATE_ORDER,
        {
          order: { userId, items: products.map((productId) => ({ productId, quantity: 1 })) },
          maxOrderTotal: config.MAX_ORDER_TOTAL,
        },
        request(identity),
      ),
    close: () => databases.close(),
  };
}

export const now = () => instantAt(Date.now());
export const request = (identity = uniqueIdentity()) => ({ identity, now: now(), actor: undefined });

let catalogues = 0;

/** Users, and products at these prices in minor units. */
export async function seed(
  { writer }: WriteSide,
  users: number,
  prices: bigint[],
): Promise<{ users: UserId[]; products: ProductId[] }> {
  const tag = `${process.pid}-${catalogues++}`;
  const seeded: { users: UserId[]; products: ProductId[] } = { users: [], products: [] };
  for (let index = 0; index < users; index++) {
    const { logged } = await writer.execute(
      CREATE_USER,
      { name: 'Ada', email: `${tag}-${index}@example.com` },
      request(),
    );
    seeded.users.push(logged.event.userId);
  }
  for (const [index, price] of prices.entries()) {
    const { logged } = await writer.execute(
      CREATE_PRODUCT,
      { name: 'Tea', sku: `${tag}-${index}`, price },
      request(),
    );
    seeded.products.push(logged.event.productId);
  }
  return seeded;
}
