/** How large and how long everything is. */
export interface Sizes {
  users: number;
  products: number;
  /** Orders of each data set for the reports, ascending. The last one is also for rebuild, verify, memory and start. */
  datasets: number[];
  /** Each case measures Tally and its baselines in turn, so many times. */
  rounds: number;
  /** How long a load is recorded. */
  loadMs: number;
  warmUpMs: number;
  /** How long each report is asked by one client. */
  reportMs: number;
  reportWarmUpMs: number;
  /** Clients that create orders. */
  clients: number[];
  /** Different bodies of orders; they are used again and again. */
  bodies: number;
  /** How many orders each subject deletes in a round, at most. */
  deletions: number;
}

export const FULL: Sizes = {
  users: 100_000,
  products: 10_000,
  datasets: [10_000, 100_000, 1_000_000],
  rounds: 3,
  loadMs: 8000,
  warmUpMs: 1500,
  reportMs: 1000,
  reportWarmUpMs: 200,
  clients: [1, 64, 256],
  bodies: 50_000,
  deletions: 20_000,
};

export const QUICK: Sizes = {
  users: 5000,
  products: 1000,
  datasets: [1000, 10_000],
  rounds: 1,
  loadMs: 500,
  warmUpMs: 200,
  reportMs: 120,
  reportWarmUpMs: 50,
  clients: [1, 64, 256],
  bodies: 5000,
  deletions: 2000,
};
