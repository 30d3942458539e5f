-- What happened to access: refused keys, logins, and changes of keys and people (docs/decisions/0011). principal_id did it;
-- NULL where nobody is known to have. key_id is the public part of a key, which need not exist; person_id a person that it
-- is about. Equal refusals are one row with a count.
-- Old rows are removed: see src/access/access-log.ts.
CREATE TABLE IF NOT EXISTS access_events (
  id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  occurred_at  DATETIME(3)     NOT NULL,
  what         VARCHAR(32)     NOT NULL,
  reason       VARCHAR(32)     NULL,
  principal_id INT UNSIGNED    NULL,
  key_id       BINARY(6)       NULL,
  person_id    INT UNSIGNED    NULL,
  route        VARCHAR(64)     NULL,
  address      VARCHAR(64)     NULL,
  count        INT UNSIGNED    NOT NULL,
  KEY access_events_time (occurred_at)
) ENGINE = InnoDB DEFAULT CHARSET = ascii COLLATE = ascii_bin
