-- The log: positions 1, 2, 3 ... without a gap, in commit order (docs/decisions/0001).
-- subject_id is the order, product or user that the event is about; the type tells which. The payload is a JSON array of
-- what no other column says. It is text, because nothing in MySQL looks into it, and checking its form at each INSERT costs.
CREATE TABLE IF NOT EXISTS order_events (
  position     BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  event_id     BINARY(16)      NOT NULL,
  request_hash BINARY(16)      NULL,
  type         ENUM('OrderCreated', 'OrderDeleted', 'ProductAdded', 'ProductRemoved', 'UserRegistered', 'UserRemoved')
               CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id   BIGINT UNSIGNED NOT NULL,
  payload      MEDIUMTEXT      NOT NULL,
  occurred_at  DATETIME(3)     NOT NULL,
  UNIQUE KEY order_events_event (event_id),
  KEY order_events_subject (subject_id, position)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
