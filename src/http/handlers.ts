import type { getProduct, getUser, listProducts, listUsers } from '../catalogue/read-catalogue';
import type { createOrder } from '../commands/create-order';
import type { createProduct } from '../commands/create-product';
import type { createUser } from '../commands/create-user';
import type { deleteOrder } from '../commands/delete-order';
import type { deleteProduct } from '../commands/delete-product';
import type { deleteUser } from '../commands/delete-user';
import type { bestSellers } from '../queries/best-sellers';
import type { getOrder } from '../queries/get-order';
import type { highestSpenders } from '../queries/highest-spenders';
import type { listOrders } from '../queries/list-orders';
import type { sales } from '../queries/sales';
import type { summary } from '../queries/summary';

/** A handler that was given what it needs, its first argument. */
type Bound<F> = F extends (needs: never, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : never;

/** Everything that the routes can ask for; put together in app.ts. */
export interface Handlers {
  createOrder: Bound<typeof createOrder>;
  deleteOrder: Bound<typeof deleteOrder>;
  createProduct: Bound<typeof createProduct>;
  deleteProduct: Bound<typeof deleteProduct>;
  createUser: Bound<typeof createUser>;
  deleteUser: Bound<typeof deleteUser>;
  getProduct: Bound<typeof getProduct>;
  listProducts: Bound<typeof listProducts>;
  getUser: Bound<typeof getUser>;
  listUsers: Bound<typeof listUsers>;
  getOrder: Bound<typeof getOrder>;
  listOrders: Bound<typeof listOrders>;
  bestSellers: Bound<typeof bestSellers>;
  highestSpenders: Bound<typeof highestSpenders>;
  sales: Bound<typeof sales>;
  summary: Bound<typeof summary>;
  /** Whether the reports contain a position, waiting for it within `PROJECTION_WAIT_MS`. */
  awaitProjected: (position: number) => Promise<boolean>;
  readModelStatus: () => Promise<ReadModelStatus>;
  readiness: () => Promise<Readiness>;
}

export interface Readiness {
  checks: Record<string, { ok: boolean; detail: string }>;
  /** What is weaker than it should be, but does not keep the service from working. */
  warnings: readonly string[];
}

export interface ReadModelStatus {
  status: 'live' | 'building' | 'unreachable';
  generation: string | null;
  applied: string | null;
  head: string | null;
  head_age_seconds: number | null;
  lag_events: number;
  lag_seconds: number;
  stalled: string | null;
  work: string | null;
  last_verification: {
    generation: string;
    position: number;
    started_at: string;
    finished_at: string;
    orders: number;
    drift: number;
    repaired: number;
    unadopted: number;
    adopted: number;
    findings: { key: string; expected: string; found: string; repaired: boolean }[];
  } | null;
}
