-- Shared by the scripts that write to a generation or read it, which are prefixed with it.
--
-- Redis keeps what a script wrote as one transaction in its append-only file. Where the file was cut within the last one,
-- Redis 7.0 drops that at the next start, but leaves its first half in the file: at the start after that, the half is
-- carried out too, before the transaction that follows it. So every write is counted twice: `begun` by an increment, which
-- such a half repeats, and `ended` by the value that it had, which nothing repeats. Where they differ, the generation holds
-- half a write, and counts as incomplete.

-- The tip applied; false where the generation is not complete.
local function appliedTip(applied, writes)
  local counts = redis.pcall('HMGET', writes, 'begun', 'ended')
  if counts.err or counts[1] ~= counts[2] then return false end
  return redis.call('GET', applied)
end

local function beginWrite(writes)
  return redis.call('HINCRBY', writes, 'begun', 1)
end

local function endWrite(writes, count)
  redis.call('HSET', writes, 'ended', count)
end
