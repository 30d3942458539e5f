-- Tally writes logged = 1 and the fingerprint of what it logged. A row with logged = 0, or whose content no longer
-- matches its fingerprint, was written by another program: resync reconciles the log with it.
CREATE TABLE IF NOT EXISTS orders (
  id           BIGINT UNSIGNED  NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id      BIGINT UNSIGNED  NOT NULL,
  total_amount DECIMAL(14, 2)   NOT NULL,
  created_at   DATETIME(3)      NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  logged       TINYINT UNSIGNED NOT NULL DEFAULT 0,
  fingerprint  INT UNSIGNED     NOT NULL DEFAULT 0,
  KEY orders_user (user_id),
  CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT ON UPDATE RESTRICT
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci
