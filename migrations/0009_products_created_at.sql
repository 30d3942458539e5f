-- For other programs that insert products. As in orders: by the clock of MySQL, in the time zone of their session.
ALTER TABLE products MODIFY created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
