-- Takes, renews or gives back a lease: a lock that expires by itself, with a note of what its holder does.
--
-- KEYS[1]  the lease: the holder's token and, after a space, the note
-- ARGV[1]  token of the caller
-- ARGV[2]  note
-- ARGV[3]  milliseconds until it expires; 0 gives it back
-- ARGV[4]  longest time for which a lease is valid, in milliseconds
--
-- Returns 1 if the caller holds it now, or has given it back; 0 where another holds it.
-- Atomic so that nobody renews or gives back a lease that expired and was taken by another. A lease that never expires, or
-- expires later than any lease does, was set by hand and is replaced.

local value = redis.pcall('GET', KEYS[1])
local isMine = type(value) == 'string' and string.sub(value, 1, #ARGV[1] + 1) == ARGV[1] .. ' '
if ARGV[3] == '0' then return isMine and redis.call('DEL', KEYS[1]) or 0 end
local left = redis.call('PTTL', KEYS[1])
if not isMine and left > 0 and left <= tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
