import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EventType } from '../domain/events';

/** Everything that `/metrics` shows; the only file that knows the metrics library. */
export class Metrics {
  private readonly registry = new Registry();

  readonly requestSeconds = new Histogram({
    name: 'tally_http_request_duration_seconds',
    help: 'Time from request to answer, by route template',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.registry],
  });

  readonly malformedRequests = new Counter({
    name: 'tally_http_malformed_requests_total',
    help: 'What was received and is no valid HTTP request, or did not arrive in time',
    labelNames: ['problem'] as const,
    registers: [this.registry],
  });

  readonly accessRefused = new Counter({
    name: 'tally_access_refused_total',
    help: 'Requests of callers who are not known, or may not do what they ask for',
    labelNames: ['problem'] as const,
    registers: [this.registry],
  });

  readonly rateLimited = new Counter({
    name: 'tally_rate_limited_total',
    help: 'Requests that were refused because their principal or address had sent too many',
    labelNames: ['limit'] as const,
    registers: [this.registry],
  });

  readonly rateLimitUnavailable = new Counter({
    name: 'tally_rate_limit_unavailable_total',
    help: 'Requests that no rate limit was applied to, because Redis did not count them',
    registers: [this.registry],
  });

  readonly connectionsRefused = new Counter({
    name: 'tally_http_connections_refused_total',
    help: 'Connections that were closed at once, because there were MAX_CONNECTIONS already',
    registers: [this.registry],
  });

  private readonly ordersCreated = new Counter({
    name: 'tally_orders_created_total',
    help: 'Orders that this process created; replays of a command are not counted',
    registers: [this.registry],
  });

  private readonly ordersDeleted = new Counter({
    name: 'tally_orders_deleted_total',
    help: 'Orders that this process deleted; replays of a command are not counted',
    registers: [this.registry],
  });

  readonly commandsPerTransaction = new Histogram({
    name: 'tally_commands_per_transaction',
    help: 'Commands that one committed transaction carried out',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers: [this.registry],
  });

  readonly eventsApplied = new Counter({
    name: 'tally_events_applied_total',
    help: 'Events that this process applied to the read model, by the way they came',
    labelNames: ['path'] as const,
    registers: [this.registry],
  });

  readonly driftFound = new Counter({
    name: 'tally_drift_found_total',
    help: 'Keys of the read model that a verification by this process found wrong',
    registers: [this.registry],
  });

  readonly driftRepaired = new Counter({
    name: 'tally_drift_repaired_total',
    help: 'Of these, keys that were repaired',
    registers: [this.registry],
  });

  readonly poolWaitSeconds = new Histogram({
    name: 'tally_mysql_pool_wait_seconds',
    help: 'Time that a command waited for a MySQL connection',
    buckets: [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
    registers: [this.registry],
  });

  readonly projectionLagSeconds = new Histogram({
    name: 'tally_projection_lag_seconds',
    help: 'Time from a commit by this process to when the reports contain it',
    buckets: [0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1, 5],
    registers: [this.registry],
  });

  /** `lag` is called at every scrape. */
  constructor(lag: () => { events: number; seconds: number; boundShare: number }) {
    this.gauge(
      'tally_lag_events',
      'Events that are committed and not yet in the reports, as last seen by this process',
      () => lag().events,
    );
    this.gauge(
      'tally_lag_seconds',
      'Age of the oldest event that is not yet in the reports',
      () => lag().seconds,
    );
    this.gauge(
      'tally_sum_bound_share',
      'How much of the bound is used that the sums of all orders stay below, from 0 to 1; at 1 no order is taken',
      () => lag().boundShare,
    );
    collectDefaultMetrics({ register: this.registry });
  }

  /** Both are called at every scrape. */
  watchRequests(inFlight: () => number, waiting: () => number): void {
    this.gauge(
      'tally_http_requests_in_flight',
      'Requests that are being carried out, or whose answers are being sent',
      inFlight,
    );
    this.gauge(
      'tally_http_requests_waiting',
      'Requests that wait behind others of their connection, most of whose answers nobody reads',
      waiting,
    );
  }

  private gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }

  /** Counts a command that was carried out, by the type of its event. */
  carriedOut(type: EventType): void {
    if (type === 'OrderCreated') this.ordersCreated.inc();
    else if (type === 'OrderDeleted') this.ordersDeleted.inc();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  async text(): Promise<string> {
    return this.registry.metrics();
  }
}
