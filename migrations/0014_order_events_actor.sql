-- The principal that asked for the event; NULL where nobody had to say who he is, and for what Tally appends by itself.
-- Without a foreign key, whose check would cost every order: principals are never deleted. MySQL and MariaDB both add a
-- last column at once, whatever the number of rows.
ALTER TABLE order_events ADD COLUMN actor_id INT UNSIGNED NULL
