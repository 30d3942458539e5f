-- Who a person is at a provider of OpenID Connect: SHA-256 of its issuer and of the subject there. Names and addresses change
-- hands at a provider; this does not.
CREATE TABLE IF NOT EXISTS identities (
  id           BINARY(32)   NOT NULL PRIMARY KEY,
  principal_id INT UNSIGNED NOT NULL,
  CONSTRAINT identities_principal FOREIGN KEY (principal_id) REFERENCES principals (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
