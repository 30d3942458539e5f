import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from './service';

/** A service that is killed takes its counters along: this is how much of them is lost at most. */
const ASK_EVERY_MS = 250;

/** A histogram of a service, as far as it has counted. */
interface Counted {
  transactions: number;
  commands: number;
}

/** Asks the services' metrics how many commands they carry out in a transaction. */
export class GroupMeter {
  private readonly total: Counted = { transactions: 0, commands: 0 };
  private readonly stopping = new AbortController();
  private readonly asking: Promise<void>[];

  constructor(services: Service[]) {
    this.asking = services.map((service) => this.follow(service));
  }

  /** @returns the average since the beginning; undefined where no service told. */
  async stop(): Promise<number | undefined> {
    this.stopping.abort();
    await Promise.all(this.asking);
    const { transactions, commands } = this.total;
    return transactions === 0 ? undefined : commands / transactions;
  }

  private async follow(service: Service): Promise<void> {
    let before: Counted = { transactions: 0, commands: 0 };
    for (let last = false; ;) {
      const now = await countedBy(service);
      if (now !== undefined) {
        // Counters that went down are those of a process that has just started.
        if (now.transactions < before.transactions) before = { transactions: 0, commands: 0 };
        this.total.transactions += now.transactions - before.transactions;
        this.total.commands += now.commands - before.commands;
        before = now;
      }
      if (last) return;
      await delay(ASK_EVERY_MS, undefined, { signal: this.stopping.signal }).catch(() => (last = true));
    }
  }
}

/** @returns undefined where the service is down, or does not count. */
async function countedBy({ url }: Service): Promise<Counted | undefined> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(1000) });
    const text = await response.text();
    const value = (name: string) =>
      Number(new RegExp(`^tally_commands_per_transaction_${name} (\\d+)$`, 'm').exec(text)?.[1]);
    const counted = { transactions: value('count'), commands: value('sum') };
    return Number.isNaN(counted.transactions) ? undefined : counted;
  } catch {
    return undefined;
  }
}
