-- Shared by the scripts that read or write a generation, which are prefixed with it.
--
-- The checkpoint `{g}:checkpoint` is a hash:
--   at                  the log position applied, `position:event_id`; or `filling:token:next chunk` while it is filled
--   begun, ended        the write guard: how many writes were begun and ended
--   fence, fence_until  the fencing lock of a repair; milliseconds of the clock of Redis
--
-- Redis keeps what a script wrote as one transaction in its append-only file. Where the file was cut within the last one,
-- Redis 7.0 drops that at the next start but leaves its first half in the file: at the start after that, the half is
-- carried out too, before the transaction that follows it. So every write increments `begun` first, which such a half
-- repeats, and sets `at` and `ended` last, which nothing repeats. Where the two differ, the generation holds half a write.

-- What `at` is; false where there is no checkpoint, or half a write.
local function checkpointOf(key)
  local fields = redis.pcall('HMGET', key, 'at', 'begun', 'ended')
  if fields.err or fields[2] ~= fields[3] then return false end
  return fields[1]
end
