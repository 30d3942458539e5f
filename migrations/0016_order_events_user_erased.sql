-- One more type at the end of the list: MySQL and MariaDB change it at once, whatever the number of rows. An old release
-- beside a new one stops its projector at the first such event, and goes on when it is upgraded.
ALTER TABLE order_events MODIFY type
  ENUM('OrderCreated', 'OrderDeleted', 'ProductAdded', 'ProductRemoved', 'UserRegistered', 'UserRemoved', 'UserErased')
  CHARACTER SET ascii COLLATE ascii_bin NOT NULL
