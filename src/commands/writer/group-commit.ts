import { queueIsFull } from '../../mysql/pool';

/** Transactions of shared commands under way: while one waits for its disk, the next one reads. */
const MAX_GROUPS = 2;
/** Transactions of commands that do not share. They are beside the groups, so that an import does not hold up orders. */
const MAX_SEPARATE = 4;
/** More in one transaction gains nothing, and delays its first command. */
const MAX_GROUP_SIZE = 256;

/** The more commands wait for locked rows, the less often each one asks, so that all together ask about this often. */
const COME_BACK_EVERY_MS = 1;

/** What the queue must know of a command. */
export interface Queued {
  /** Two with the same id are never under way at the same time. */
  readonly id: string;
  readonly shares: boolean;
  readonly isAnswered: boolean;
  fail(error: unknown): void;
}

/**
 * Lets commands wait while others are under way, and go together. Nothing is held back for company: a command that
 * arrives alone is carried out at once, alone.
 */
export class GroupCommit<C extends Queued> {
  /** In order of arrival. */
  private readonly waiting = new Set<C>();
  /** They found a row locked, and come back soon. */
  private readonly paused = new Map<C, NodeJS.Timeout>();
  private readonly idsUnderWay = new Set<string>();
  private readonly underWay = { shared: 0, separate: 0 };
  private isScheduled = false;

  constructor(
    private readonly options: {
      /**
       * Carries out a group; never rejects. `yieldTurn` lets the next group begin before that: for what takes long because
       * something is wrong with this one.
       */
      carryOut: (group: C[], yieldTurn: () => void) => Promise<void>;
      maxWaiting: number;
    },
  ) {}

  add(command: C): void {
    if (this.size >= this.options.maxWaiting) this.forgetAnswered();
    if (this.size < this.options.maxWaiting) this.enqueue(command);
    else command.fail(queueIsFull());
  }

  /** Takes a command back that was under way; it waits for its turn again after a pause, or a longer one. */
  comeBack(command: C, pauseMs: number): void {
    const timer = setTimeout(
      () => {
        this.paused.delete(command);
        this.enqueue(command);
      },
      Math.max(pauseMs, this.paused.size * COME_BACK_EVERY_MS),
    );
    this.paused.set(command, timer);
  }

  private get size(): number {
    return this.waiting.size + this.paused.size;
  }

  /** Those whose deadline has passed wait no longer. */
  private forgetAnswered(): void {
    for (const command of this.waiting) if (command.isAnswered) this.waiting.delete(command);
    for (const [command, timer] of this.paused) {
      if (!command.isAnswered) continue;
      clearTimeout(timer);
      this.paused.delete(command);
    }
  }

  /** It begins at the end of this turn of the event loop, so that commands that arrive in one turn go together. */
  private enqueue(command: C): void {
    this.waiting.add(command);
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.begin();
    });
  }

  private begin(): void {
    this.forgetAnswered();
    this.fill('shared', MAX_GROUPS);
    this.fill('separate', MAX_SEPARATE);
  }

  private fill(lane: 'shared' | 'separate', maxUnderWay: number): void {
    while (this.underWay[lane] < maxUnderWay) {
      const group = nextGroup(this.waiting, this.idsUnderWay, lane === 'shared');
      if (group.length === 0) return;
      this.start(group, lane);
    }
  }

  private start(group: C[], lane: 'shared' | 'separate'): void {
    for (const command of group) {
      this.waiting.delete(command);
      this.idsUnderWay.add(command.id);
    }
    this.underWay[lane] += 1;
    let hasTurn = true;
    const yieldTurn = () => {
      if (!hasTurn) return;
      hasTurn = false;
      this.underWay[lane] -= 1;
      this.begin(); // what waits has gathered while this group was carried out
    };
    void this.options.carryOut(group, yieldTurn).finally(() => {
      for (const { id } of group) this.idsUnderWay.delete(id);
      yieldTurn();
      this.begin(); // duplicate requests
    });
  }
}

/**
 * Pure: the oldest commands that may go together. A duplicate request waits until the command that it repeats has ended:
 * then it finds what that one left in the log.
 */
export function nextGroup<C extends Queued>(
  waiting: Iterable<C>,
  underWay: ReadonlySet<string>,
  shares: boolean,
): C[] {
  const ids = new Set<string>();
  const group: C[] = [];
  for (const command of waiting) {
    if (command.shares !== shares || underWay.has(command.id) || ids.has(command.id)) continue;
    ids.add(command.id);
    group.push(command);
    if (group.length === (shares ? MAX_GROUP_SIZE : 1)) break;
  }
  return group;
}
