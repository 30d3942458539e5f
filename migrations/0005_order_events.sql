-- The log: positions 1, 2, 3 ... without a gap, in commit order (docs/decisions/0001).
-- subject_id is the order, product or user that the event is about; type tells which.
CREATE TABLE IF NOT EXISTS order_events (
  position     BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  command_id   BINARY(16)      NOT NULL,
  request_hash BINARY(32)      NULL,
  type         VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id   BIGINT UNSIGNED NOT NULL,
  payload      JSON            NOT NULL,
  occurred_at  DATETIME(3)     NOT NULL,
  UNIQUE KEY order_events_command (command_id),
  KEY order_events_subject (subject_id, position)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
