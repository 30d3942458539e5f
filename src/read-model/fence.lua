-- Takes or gives back the fencing lock of a generation: while it is held, only its holder may advance the checkpoint.
--
-- KEYS[1]  {g}:checkpoint
-- ARGV[1]  token
-- ARGV[2]  milliseconds until it expires; also the longest time for which a lock is valid; 0 gives it back
--
-- Returns 1 if it was taken or given back, 0 where another holds it, or the generation is not complete.
-- Atomic so that nobody gives back a lock that expired and was taken by another.

if not checkpointOf(KEYS[1]) then return 0 end
local ttlMs = tonumber(ARGV[2])
if ttlMs == 0 then
  if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
  return redis.call('HDEL', KEYS[1], 'fence', 'fence_until') > 0 and 1 or 0
end
if isFenced(KEYS[1], ARGV[1], ttlMs) then return 0 end
local time = redis.call('TIME')
local untilMs = time[1] * 1000 + math.floor(time[2] / 1000) + ttlMs
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'fence_until', string.format('%.0f', untilMs))
return 1
