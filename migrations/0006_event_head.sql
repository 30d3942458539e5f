-- One row. Its lock serialises appends: a position is taken under it and it is held until commit.
-- log_id names this log, so that an empty log too can be told from another empty log. The other columns are what the log
-- adds up to: how many orders, products and users exist, and the units and the revenue of the orders. The bound of the sums
-- lies so far below 2^53 that every sum of the reports is exact as a double (domain/money.ts).
CREATE TABLE IF NOT EXISTS event_head (
  id            TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  log_id        BINARY(16)       NOT NULL,
  position      BIGINT UNSIGNED  NOT NULL,
  event_id      BINARY(16)       NULL,
  orders_live   BIGINT           NOT NULL DEFAULT 0,
  products_live BIGINT           NOT NULL DEFAULT 0,
  users_live    BIGINT           NOT NULL DEFAULT 0,
  units         BIGINT           NOT NULL DEFAULT 0,
  revenue_minor BIGINT           NOT NULL DEFAULT 0,
  CONSTRAINT event_head_one_row CHECK (id = 1),
  CONSTRAINT event_head_orders CHECK (orders_live < 8000000000000000),
  CONSTRAINT event_head_units CHECK (units < 8000000000000000),
  CONSTRAINT event_head_revenue CHECK (revenue_minor < 8000000000000000)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
