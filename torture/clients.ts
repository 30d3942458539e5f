import { setTimeout as delay } from 'node:timers/promises';
import { euros, MARKER_PRODUCT, PRICES_CENTS, USERS } from './catalogue';
import { describe, positionTold, send, type Request } from './api';
import type { History, Operation } from './history';
import type { Random } from './random';
import type { Service } from './service';

const MAX_RETRIES = 12;
/** So many clients may rest between their requests as people do. */
const UNHURRIED_CLIENTS = 8;

/** An order that a client asked for. */
export interface Wish {
  /** How many of the marker product it holds: its name. */
  marker: number;
  userId: number;
  items: { product_id: number; quantity: number }[];
  attempts: Operation[];
  /** Attempts to delete it. */
  deletions: Operation[];
}

/** The clients of a run: what they asked for, and what they were promised. */
export class Clients {
  readonly wishes: Wish[] = [];
  /** Those that were acknowledged, and that nobody has asked to delete. */
  private readonly living: Wish[] = [];
  private markers = 0;
  private keys = 0;
  /** The highest position that the answer to a command told, and how the header stated it. */
  private promised: { position: number; told: string } | undefined;
  private running = false;
  private paused = false;
  private readsOnly = false;
  private commandsUnderWay = 0;
  /** How often the database was another one from one moment to the next. */
  private restores = 0;
  private loops: Promise<void>[] = [];

  constructor(
    private readonly services: Service[],
    private readonly history: History,
  ) {}

  /** Adds users and products, one after the other, so that their ids are known. */
  async fillCatalogue(): Promise<void> {
    for (let id = 1; id <= USERS; id++) {
      await this.insist({
        method: 'POST',
        path: '/users',
        sent: { name: `User ${id}`, email: `${id}@example.com` },
      });
    }
    for (const [index, cents] of PRICES_CENTS.entries()) {
      const sent = { name: `Product ${index + 1}`, sku: `SKU-${index + 1}`, price: euros(cents) };
      await this.insist({ method: 'POST', path: '/products', sent });
    }
  }

  /** Many clients rest less than few, so that they load the services and their commands share transactions. */
  start(count: number, random: Random): void {
    this.running = true;
    this.paused = false;
    const restFactor = Math.min(1, UNHURRIED_CLIENTS / count);
    for (let client = 0; client < count; client++) {
      this.loops.push(this.live(client, random.fork(), restFactor));
    }
  }

  /** Lets nobody begin anything; resolves when what was begun has ended. */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.loops);
    this.loops = [];
  }

  /** Carries out `work` while nobody has a command under way, or begins one. Reads go on. */
  async withoutCommands<T>(work: () => Promise<T>): Promise<T> {
    this.readsOnly = true;
    try {
      while (this.commandsUnderWay > 0) await delay(10);
      return await work();
    } finally {
      this.readsOnly = false;
    }
  }

  /** MySQL is being restored: positions that were told before mean nothing in its log. */
  forgetPositions(): void {
    this.promised = undefined;
    this.restores += 1;
  }

  /** Of the orders that could be deleted, those stay whose creation is in the log: ids of others will be given again. */
  forgetOrdersExcept(isLogged: (operation: Operation) => boolean): void {
    const kept = this.living.filter(({ attempts }) =>
      attempts.some((attempt) => attempt.outcome === 'ok' && isLogged(attempt)),
    );
    this.living.splice(0, this.living.length, ...kept);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** Creates an order through one service, and reads it there. @returns whether both succeeded. */
  async orderAndRead(random: Random, service: Service): Promise<boolean> {
    const wish = this.newWish(random);
    const { outcome, body } = await this.attempt(-1, wish, service, {});
    if (outcome !== 'ok') return false;
    const { order_id: id, projected } = body as { order_id: number; projected: boolean };
    if (!projected) return false;
    return (await this.request(-1, service, { method: 'GET', path: `/orders/${id}` })).outcome === 'ok';
  }

  /** Whether an attempt that failed is repeated. */
  private get goesOn(): boolean {
    return this.running && !this.readsOnly;
  }

  private async live(client: number, random: Random, restFactor: number): Promise<void> {
    while (this.running) {
      if (!this.paused) await this.act(client, random);
      await delay(random.int(5, 60) * restFactor);
    }
  }

  private async act(client: number, random: Random): Promise<void> {
    const dice = random.int(1, 100);
    // Reads of all clients, without the commands between them, would be a flood that leaves the machine no time for more.
    if (this.readsOnly && client >= UNHURRIED_CLIENTS) return;
    if (dice > 66 || this.readsOnly) return this.readSomething(client, random);
    this.commandsUnderWay += 1;
    await this.command(client, random, dice).finally(() => (this.commandsUnderWay -= 1));
  }

  private async command(client: number, random: Random, dice: number): Promise<void> {
    if (dice <= 40) return this.createUntilKnown(client, random);
    if (dice <= 45) return this.createTwice(client, random);
    if (dice <= 60) return this.deleteSomething(client, random);
    if (dice <= 63) return this.orderSomethingUnknown(client, random);
    return this.addAndRemoveUser(client, random);
  }

  /** With a key, an answer that was lost is asked for again, as a good client does. */
  private async createUntilKnown(client: number, random: Random): Promise<void> {
    const wish = this.newWish(random);
    const key = random.chance(0.6) ? { key: `key-${++this.keys}` } : {};
    for (let attempt = 1; attempt <= MAX_RETRIES; attempt++) {
      const { outcome } = await this.attempt(client, wish, random.pick(this.services), key);
      const again =
        key.key !== undefined && (outcome === 'unknown' || (outcome === 'refused' && random.chance(0.3)));
      if (!again || !this.goesOn) return;
      await delay(random.int(50, 300));
    }
  }

  /** One key, twice at the same time. */
  private async createTwice(client: number, random: Random): Promise<void> {
    const wish = this.newWish(random);
    const key = { key: `key-${++this.keys}` };
    await Promise.all([1, 2].map(() => this.attempt(client, wish, random.pick(this.services), key)));
  }

  private async deleteSomething(client: number, random: Random): Promise<void> {
    if (this.living.length === 0) return;
    const index = random.int(0, this.living.length - 1);
    const [wish] = this.living.splice(index, 1) as [Wish];
    const key = random.chance(0.6) ? { key: `key-${++this.keys}` } : {};
    const path = `/orders/${orderIdOf(wish)}`;
    for (let attempt = 1; attempt <= MAX_RETRIES; attempt++) {
      const operation = await this.request(
        client,
        random.pick(this.services),
        { method: 'DELETE', path, ...key },
        (begun) => wish.deletions.push(begun),
      );
      if (key.key === undefined || operation.outcome !== 'unknown' || !this.goesOn) return;
      await delay(random.int(50, 300));
    }
  }

  /** Must be refused, and leave nothing behind. */
  private async orderSomethingUnknown(client: number, random: Random): Promise<void> {
    const wish = this.newWish(random);
    wish.items.push({ product_id: 9_999_999, quantity: 1 });
    const operation = await this.attempt(client, wish, random.pick(this.services), {});
    if (operation.outcome === 'ok')
      this.history.violated(`an unknown product was sold: ${JSON.stringify(operation)}`);
  }

  private async addAndRemoveUser(client: number, random: Random): Promise<void> {
    const email = `extra-${this.history.newId()}@example.com`;
    const sent = { name: 'Visitor', email };
    const added = await this.request(client, random.pick(this.services), {
      method: 'POST',
      path: '/users',
      sent,
    });
    if (added.outcome !== 'ok' || random.chance(0.3)) return;
    const path = `/users/${(added.body as { user_id: number }).user_id}`;
    await this.request(client, random.pick(this.services), { method: 'DELETE', path });
  }

  private async readSomething(client: number, random: Random): Promise<void> {
    const reports = [
      '/orders/reports/summary',
      '/orders/reports/best-sellers?limit=100',
      '/orders/reports/best-sellers?limit=100&by=revenue',
      '/orders/reports/highest-spenders?limit=100',
      `/orders/reports/sales?interval=month&${wideRange()}`,
      `/orders/reports/best-sellers?limit=100&${wideRange()}`,
      `/orders?limit=${random.int(1, 100)}`,
      `/orders?limit=50&user_id=${random.int(1, USERS)}`,
    ];
    const known = this.wishes.length === 0 ? undefined : orderIdOf(random.pick(this.wishes));
    if (known !== undefined) reports.push(`/orders/${known}`, `/orders/${known}`);
    const { restores } = this;
    let promised = random.chance(0.5) ? this.promised : undefined;
    const operation = await this.request(client, random.pick(this.services), {
      method: 'GET',
      path: random.pick(reports),
      ...(promised === undefined ? {} : { minPosition: minPositionOf(promised, random) }),
    });
    const { status, position, reason } = operation;
    if (restores !== this.restores) promised = undefined;
    if (status === 409 && promised !== undefined) {
      this.history.violated(`a position that had been promised is unknown: ${describe(operation)}`);
    }
    if (status === 200 && promised !== undefined && (position ?? -1) < promised.position) {
      this.history.violated(`a read went back behind the position that it asked for: ${describe(operation)}`);
    }
    if (status >= 400 && ![404, 409, 500, 503].includes(status)) {
      this.history.violated(`a read was answered ${status} ${reason}: ${describe(operation)}`);
    }
  }

  private newWish(random: Random): Wish {
    const marker = ++this.markers;
    const items = Array.from({ length: random.int(0, 3) }, () => ({
      product_id: random.int(2, PRICES_CENTS.length),
      quantity: random.int(1, 5),
    }));
    items.unshift({ product_id: MARKER_PRODUCT, quantity: marker });
    const wish: Wish = { marker, userId: random.int(1, USERS), items, attempts: [], deletions: [] };
    this.wishes.push(wish);
    return wish;
  }

  private async attempt(
    client: number,
    wish: Wish,
    service: Service,
    key: { key?: string },
  ): Promise<Operation> {
    const sent = { user_id: wish.userId, items: wish.items };
    const operation = await this.request(
      client,
      service,
      { method: 'POST', path: '/orders', sent, ...key },
      (begun) => wish.attempts.push(begun),
    );
    const acknowledged = wish.attempts.filter(({ outcome }) => outcome === 'ok');
    if (acknowledged.length === 1 && acknowledged[0] === operation) this.living.push(wish);
    return operation;
  }

  /** Repeats what must succeed; only before the first fault. */
  private async insist(request: Request): Promise<void> {
    const [service] = this.services;
    if (service === undefined) throw new Error('there is no service');
    const operation = await this.request(0, service, request);
    if (operation.outcome !== 'ok')
      throw new Error(`the catalogue could not be filled: ${describe(operation)}`);
  }

  /** Sends a request; what a command was told of its position is what later reads ask for. */
  private async request(
    client: number,
    service: Service,
    request: Request,
    begun?: (operation: Operation) => void,
  ): Promise<Operation> {
    const operation = await send(this.history, client, service, request, begun);
    const { outcome, method, position } = operation;
    const told = positionTold(operation);
    if (outcome !== 'ok' || method === 'GET' || position === undefined || told === undefined)
      return operation;
    if (position > (this.promised?.position ?? -1)) this.promised = { position, told };
    return operation;
  }
}

/** The id that an order was given, as far as its client knows. */
export function orderIdOf(wish: Wish): number | undefined {
  const ok = wish.attempts.find(({ outcome }) => outcome === 'ok');
  return ok === undefined ? undefined : (ok.body as { order_id: number }).order_id;
}

/** Clients send back what they were told; now and then only the number, as clients of an earlier release do. */
function minPositionOf({ position, told }: { position: number; told: string }, random: Random): string {
  return random.chance(0.2) ? String(position) : told;
}

/** Wide enough for every date that a clock that jumped can have given an order, and no wider than a report may be. */
function wideRange(): string {
  const now = new Date();
  const month = (offset: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1)).toISOString().slice(0, 10);
  return `from=${month(-20)}&to=${month(3)}`;
}
