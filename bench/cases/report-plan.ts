import { Random } from '../../torture/random';
import { DAYS, FIRST_DAY } from '../data/csv';
import type { PlannedRequest } from '../load/protocol';

const DAY_MS = 86_400_000;
const DIFFERENT = 200;

/** A report, and who can be asked for it. */
export interface ReportPlan {
  name: string;
  /** Whether its cost could grow with the number of orders, and must not. */
  allTime: boolean;
  requests: PlannedRequest[];
  /** Baselines that can answer it. */
  groupBy: boolean;
  keys: boolean;
}

const BEST_SELLERS = '/orders/reports/best-sellers?limit=10';

export const ALL_TIME_BEST_SELLERS = 'best sellers, all time';
export const WHOLE_MONTHS = 'best sellers, 12 whole months';
export const EDGE_DAYS = 'best sellers, 12 months from the 15th to the 15th';
export const ANY_DAYS = 'best sellers, 12 months from any day';

/** Twelve months that hold every order, with edge days at both ends. */
export const ALL_DAYS = `from=${FIRST_DAY}&to=${dayAfter(FIRST_DAY, DAYS)}`;

export function reportPlans(orders: number, seed: number): ReportPlan[] {
  const random = new Random(seed);
  const both = { groupBy: true, keys: true };
  const range = (from: string, to: string) => `from=${from}&to=${to}`;
  return [
    { name: ALL_TIME_BEST_SELLERS, allTime: true, requests: [get(BEST_SELLERS)], ...both },
    {
      name: 'best sellers by revenue, all time',
      allTime: true,
      requests: [get(`${BEST_SELLERS}&by=revenue`)],
      groupBy: true,
      keys: false, // the hashes do not hold the lines' prices
    },
    {
      name: 'highest spenders, all time',
      allTime: true,
      requests: [get('/orders/reports/highest-spenders?limit=10')],
      ...both,
    },
    { name: 'summary, all time', allTime: true, requests: [get('/orders/reports/summary')], ...both },
    {
      name: 'sales by month, 12 months',
      allTime: false,
      requests: [get(`/orders/reports/sales?${ALL_DAYS}&interval=month`)],
      ...both,
    },
    {
      name: 'sales by day, 30 days',
      allTime: false,
      requests: several(() => {
        const from = dayAfter(FIRST_DAY, random.int(0, DAYS - 30));
        return `/orders/reports/sales?${range(from, dayAfter(from, 30))}&interval=day`;
      }),
      groupBy: true,
      keys: false,
    },
    {
      name: WHOLE_MONTHS,
      allTime: false,
      requests: [get(`${BEST_SELLERS}&${range('2024-08-01', '2025-08-01')}`)],
      groupBy: true,
      keys: false,
    },
    { name: EDGE_DAYS, allTime: false, requests: [get(`${BEST_SELLERS}&${ALL_DAYS}`)], ...both },
    {
      name: ANY_DAYS,
      allTime: false,
      requests: several(() => {
        const from = dayAfter(FIRST_DAY, random.int(0, 30));
        const by = random.chance(0.5) ? 'quantity' : 'revenue';
        return `${BEST_SELLERS}&by=${by}&${range(from, dayAfter(from, DAYS))}`;
      }),
      groupBy: true,
      keys: false,
    },
    {
      name: 'one order',
      allTime: true,
      requests: several(() => `/orders/${random.int(1, orders)}`),
      groupBy: false,
      keys: false,
    },
    {
      name: 'newest orders',
      allTime: true,
      requests: [get('/orders?limit=20')],
      groupBy: false,
      keys: false,
    },
  ];
}

function several(path: () => string): PlannedRequest[] {
  return Array.from({ length: DIFFERENT }, () => get(path()));
}

export function get(path: string): PlannedRequest {
  return { method: 'GET', path, status: 200 };
}

function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}
