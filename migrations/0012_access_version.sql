-- One row. Every change of who may do what counts it up in the same transaction, so that each instance learns of it by a
-- look at one row every second.
CREATE TABLE IF NOT EXISTS access_version (
  id      TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  version BIGINT UNSIGNED  NOT NULL,
  CONSTRAINT access_version_one_row CHECK (id = 1)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
