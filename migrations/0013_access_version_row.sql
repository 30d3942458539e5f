INSERT IGNORE INTO access_version (id, version) VALUES (1, 0)
