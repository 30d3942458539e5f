import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Bench } from '../bench';
import { waitUntil, type Service, type Stores } from '../services';
import { writeCsv } from './csv';

const SETTLED_WITHIN_MS = 1_200_000;

/** For the GROUP BY with all the indexes that its reports could wish for. Tally has no use for them. */
const ADDED_INDEXES = [
  'CREATE INDEX bench_created_at ON orders (created_at, total_amount)',
  'CREATE INDEX bench_user ON orders (user_id, total_amount)',
  'CREATE INDEX bench_product ON order_items (product_id, quantity, unit_price)',
];

/** Orders in a database and a Redis of their own, which came there by `tally import`, and a Tally that serves them. */
export class Dataset {
  service: Service;
  /** Beginning of the keys of the read model that is live. */
  keyRoot = '';
  private indexed = false;

  private constructor(
    private readonly bench: Bench,
    readonly orders: number,
    readonly stores: Stores,
    readonly redis: Redis,
    /** `used_memory` of the Redis while it was empty. */
    readonly emptyBytes: number,
    readonly importSeconds: number,
    service: Service,
  ) {
    this.service = service;
  }

  static async open(bench: Bench, orders: number): Promise<Dataset> {
    const { servers, services, workDir } = bench;
    const name = `orders_${orders}`;
    console.log(`building the data set of ${orders} orders`);
    const redisPath = await servers.startRedis(name);
    const redis = await servers.connectRedis(redisPath);
    const emptyBytes = await usedMemory(redis);
    const stores = { databaseUrl: await servers.createDatabase(name), redisPath, prefix: 'tally' };
    const csv = join(workDir, name);
    await mkdir(csv);
    await writeCsv(csv, bench.shop(orders), orders);
    const importSeconds = await services.import(stores, csv);
    await rm(csv, { recursive: true });
    await servers.admin.query(`USE ${name}; ANALYZE TABLE users, products, orders, order_items`);
    const service = await services.tally(stores);
    const dataset = new Dataset(bench, orders, stores, redis, emptyBytes, importSeconds, service);
    await dataset.settled();
    return dataset;
  }

  /** Waits until the service has verified its read model and nothing is going on. */
  async settled(): Promise<void> {
    const url = `${this.service.origin}/read-model`;
    await waitUntil(
      'the read model to be live and verified',
      async () => {
        const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
        const { status, work, last_verification: verified, ...rest } = readModel.parse(await answer.json());
        this.keyRoot = rest.prefix ?? '';
        return status === 'live' && work === null && verified?.generation === rest.generation;
      },
      SETTLED_WITHIN_MS,
    );
  }

  async addIndexes(): Promise<void> {
    if (this.indexed) return;
    this.indexed = true;
    const { admin } = this.bench.servers;
    await admin.query(`USE orders_${this.orders}`);
    for (const sql of ADDED_INDEXES) await admin.query(sql);
  }

  async restart(): Promise<void> {
    await this.service.stop();
    this.service = await this.bench.services.tally(this.stores);
    await this.settled();
  }
}

const readModel = z.object({
  status: z.string(),
  prefix: z.string().nullable(),
  generation: z.string().nullable(),
  work: z.string().nullable(),
  last_verification: z.object({ generation: z.string() }).nullable(),
});

export async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}
