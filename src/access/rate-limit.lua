-- Takes requests out of those that a caller may still send in the present window.
--
-- KEYS[1]  how many were taken in this window; expires with it
-- ARGV[1]  how many there are in a window
-- ARGV[2]  how many to take
-- ARGV[3]  length of a window in milliseconds
--
-- Returns how many were taken, which is fewer where fewer are left; how many are left then; and after how many
-- milliseconds the window ends.
-- Atomic so that two instances never take the same request. A window begins with the first request of a caller. What is no
-- count, or never expires, or expires later than any window does, was set by hand and is replaced.

local value = redis.pcall('GET', KEYS[1])
local before = type(value) == 'string' and string.match(value, '^%d+$') and tonumber(value)
local endsIn = redis.call('PTTL', KEYS[1])
if not before or endsIn <= 0 or endsIn > tonumber(ARGV[3]) then
  before = 0
  endsIn = tonumber(ARGV[3])
end
local left = math.max(0, tonumber(ARGV[1]) - before)
local taken = math.min(tonumber(ARGV[2]), left)
if taken > 0 then redis.call('SET', KEYS[1], before + taken, 'PX', endsIn) end
return { taken, left - taken, endsIn }
