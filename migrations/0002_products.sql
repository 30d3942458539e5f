CREATE TABLE IF NOT EXISTS products (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name       VARCHAR(200)    NOT NULL,
  sku        VARCHAR(64)     COLLATE utf8mb4_bin NOT NULL,
  price      DECIMAL(12, 2)  NOT NULL,
  created_at DATETIME(3)     NOT NULL,
  UNIQUE KEY products_sku (sku),
  CONSTRAINT products_price CHECK (price >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_520_ci
