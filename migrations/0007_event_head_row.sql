INSERT IGNORE INTO event_head (id, log_id, position, tip, orders_live)
VALUES (1, UNHEX(MD5(CONCAT(UUID(), RAND(), CONNECTION_ID(), NOW(6)))), 0, NULL, 0)
