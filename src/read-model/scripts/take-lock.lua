#!lua
-- Takes a lock that expires by itself. Returns 1 if it was taken, 0 where another holds it.
--
-- KEYS[1]  the lock
-- ARGV[1]  value: a token, or whatever tells its holder
-- ARGV[2]  milliseconds until it expires
--
-- Atomic so that a lock that would never expire, which somebody set by hand, is replaced and not one that was just taken.

if redis.call('PTTL', KEYS[1]) > 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
