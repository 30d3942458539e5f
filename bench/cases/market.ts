import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { z } from 'zod';
import type { Bench } from '../bench';
import { writeCsv } from '../data/csv';
import type { PlannedRequest } from '../load/protocol';
import { TALLY } from '../results';
import type { Service, Stores } from '../services';

const MIGRATED_WITHIN_MS = 60_000;

/** A service that takes orders, and its database. */
export interface Stand {
  name: string;
  service: Service;
  database: string;
}

/** Tally and the usual designs side by side, each with the same catalogue in a database of its own. */
export interface Market {
  tally: Stand;
  usual: Stand;
  usualLess: Stand;
  /** With the catalogue, and nobody serves it. */
  raw: Stores;
  /** Bodies of orders that a seed fixes. */
  creations: PlannedRequest[];
}

export const USUAL = 'usual design, same keys';
export const USUAL_LESS = 'usual design, HSET + INCRBY';

export async function openMarket(bench: Bench): Promise<Market> {
  const { servers, services, sizes } = bench;
  const redisPath = await servers.startRedis('market');
  const storesOf = async (database: string): Promise<Stores> => ({
    databaseUrl: await servers.createDatabase(database),
    redisPath,
    prefix: database,
  });
  const csv = join(bench.workDir, 'catalogue');
  await mkdir(csv);
  await writeCsv(csv, bench.shop(0), 0);
  const own = await storesOf('tally_market');
  await services.import(own, csv);

  const copyCatalogue = async (database: string): Promise<Stores> => {
    const stores = await storesOf(database);
    await services.command(stores, ['migrate']).succeed(MIGRATED_WITHIN_MS);
    for (const table of ['users', 'products']) {
      await servers.admin.query(`INSERT INTO ${database}.${table} SELECT * FROM tally_market.${table}`);
    }
    return stores;
  };
  // The two share a Redis with Tally, and not its keys: databases of one Redis are apart.
  const openUsual = async (name: string, file: string, database: string, index: number): Promise<Stand> => {
    const { databaseUrl } = await copyCatalogue(database);
    return {
      name,
      database,
      service: await services.baseline(file, {
        DATABASE_URL: databaseUrl,
        REDIS_URL: redisPath,
        REDIS_DB: String(index),
      }),
    };
  };
  const shop = bench.shop(1);
  return {
    tally: { name: TALLY, service: await services.tally(own), database: 'tally_market' },
    usual: await openUsual(USUAL, 'usual', 'usual_market', 1),
    usualLess: await openUsual(USUAL_LESS, 'usual-hset-incrby', 'less_market', 2),
    raw: await copyCatalogue('raw_market'),
    creations: Array.from({ length: sizes.bodies }, () => ({
      method: 'POST',
      path: '/orders',
      body: shop.body(),
      status: 201,
    })),
  };
}

/** Tally's figures would be worth nothing if its reports did not show what it took. @throws Error where they do not. */
export async function insistOnReports(bench: Bench, { tally }: Market): Promise<void> {
  const [[row]] = await bench.servers.admin.query<(RowDataPacket & { orders: number; units: string })[]>(
    `SELECT (SELECT COUNT(*) FROM ${tally.database}.orders) AS orders,
            (SELECT SUM(quantity) FROM ${tally.database}.order_items) AS units`,
  );
  const answer = await fetch(`${tally.service.origin}/orders/reports/summary`, {
    signal: AbortSignal.timeout(5000),
  });
  const shown = figures.parse(await answer.json());
  if (shown.orders !== row?.orders || shown.units !== Number(row.units)) {
    throw new Error(`MySQL holds ${JSON.stringify(row)}, and the report shows ${JSON.stringify(shown)}`);
  }
}

const figures = z.object({ orders: z.number(), units: z.number() });

/** The ids of the newest orders, the newest first. */
export async function newestOrders(bench: Bench, { database }: Stand, count: number): Promise<number[]> {
  const [rows] = await bench.servers.admin.query<(RowDataPacket & { id: number })[]>(
    `SELECT id FROM ${database}.orders ORDER BY id DESC LIMIT ?`,
    [count],
  );
  return rows.map(({ id }) => id);
}
