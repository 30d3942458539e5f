-- Changes a session that is there. In one script, because between a look and a write somebody may log out, and the write
-- would bring the session back.
--
-- KEYS[1]  the session
-- KEYS[2]  set of the ids of its owner's sessions; lives as long as the longest of them
-- ARGV[1]  what the session holds
-- ARGV[2]  how long it lives from now on, in milliseconds
-- ARGV[3]  its id
--
-- Returns 1, or 0 where the session is gone: nothing is changed then.

if not redis.call('SET', KEYS[1], ARGV[1], 'XX', 'PX', ARGV[2]) then return 0 end
redis.call('SADD', KEYS[2], ARGV[3])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
return 1
