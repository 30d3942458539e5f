INSERT IGNORE INTO event_head (id, log_id, position)
VALUES (1, UNHEX(LEFT(SHA2(CONCAT(UUID(), RAND(), CONNECTION_ID(), NOW(6)), 256), 32)), 0)
