-- The secret itself is shown once and stored nowhere. It has 256 random bits, so a plain SHA-256 of it cannot be guessed.
CREATE TABLE IF NOT EXISTS api_keys (
  id           BINARY(6)    NOT NULL PRIMARY KEY,
  principal_id INT UNSIGNED NOT NULL,
  secret_hash  BINARY(32)   NOT NULL,
  created_at   DATETIME(3)  NOT NULL,
  expires_at   DATETIME(3)  NULL,
  revoked_at   DATETIME(3)  NULL,
  last_used_at DATETIME(3)  NULL,
  KEY api_keys_principal (principal_id),
  CONSTRAINT api_keys_principal FOREIGN KEY (principal_id) REFERENCES principals (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
