-- One row. Its lock serialises appends: a position is taken under it and it is held until commit.
-- log_id names this log, so that an empty log too can be told from another empty log.
CREATE TABLE IF NOT EXISTS event_head (
  id          TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  log_id      BINARY(16)       NOT NULL,
  position    BIGINT UNSIGNED  NOT NULL,
  tip         BINARY(16)       NULL,
  orders_live BIGINT UNSIGNED  NOT NULL,
  CONSTRAINT event_head_one_row CHECK (id = 1)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
