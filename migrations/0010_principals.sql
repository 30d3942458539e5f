-- Who may ask for something: a program, which has API keys, or a person, who logs in. `grants` holds the permissions of a
-- program, separated by commas, or the role of a person (src/access/permissions.ts). Rows stay for ever: the audit and the
-- Idempotency-Keys of a principal refer to its id.
CREATE TABLE IF NOT EXISTS principals (
  id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  kind        ENUM('program', 'person') NOT NULL,
  name        VARCHAR(64)  NOT NULL,
  grants      VARCHAR(255) CHARACTER SET ascii NOT NULL,
  -- Random, of a person. A session counts only while it is the one that the session began with: see src/sessions.
  session_key BINARY(8)    NULL,
  created_at  DATETIME(3)  NOT NULL,
  UNIQUE KEY principals_name (kind, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
