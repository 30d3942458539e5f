-- Sessions that were ended before their time. The store forgets them, too; but a store may be an older copy of itself, as
-- after a failover to a replica that was behind, and must not bring back who has logged out.
CREATE TABLE IF NOT EXISTS ended_sessions (
  id    BINARY(32)  NOT NULL PRIMARY KEY,
  until DATETIME(3) NOT NULL,
  KEY ended_sessions_until (until)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
