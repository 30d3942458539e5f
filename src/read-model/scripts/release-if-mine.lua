#!lua
-- Deletes a lock or fence if it still carries the caller's token. Returns 1 if it did.
--
-- KEYS[1]  the lock
-- ARGV[1]  token
--
-- Atomic so that nobody deletes a lock that expired and was taken by another.

if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
