-- `hash` says how it was made, so that the cost can be raised later: scrypt$N$r$p$salt$key (src/access/passwords.ts).
CREATE TABLE IF NOT EXISTS passwords (
  principal_id INT UNSIGNED NOT NULL PRIMARY KEY,
  hash         VARCHAR(255) CHARACTER SET ascii NOT NULL,
  changed_at   DATETIME(3)  NOT NULL,
  CONSTRAINT passwords_principal FOREIGN KEY (principal_id) REFERENCES principals (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
