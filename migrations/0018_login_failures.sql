-- Logins that failed since the last one that succeeded: of a name, an address, or a browser that a person logged in with
-- before. A row is counted up before the password is looked at, so many guesses at once are no way around it.
CREATE TABLE IF NOT EXISTS login_failures (
  subject      VARBINARY(80) NOT NULL PRIMARY KEY,
  failures     INT UNSIGNED  NOT NULL,
  failed_at    DATETIME(3)   NOT NULL,
  locked_until DATETIME(3)   NOT NULL,
  KEY login_failures_failed_at (failed_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
