-- Part of advance.lua and fence.lua.

-- Whether somebody else holds the fencing lock. A time that is no number, or further ahead than the longest lock, was not
-- set by a repair, and would hold for ever.
local function isFenced(checkpoint, token, longestMs)
  local fence = redis.call('HMGET', checkpoint, 'fence', 'fence_until')
  local untilMs = tonumber(fence[2] or '')
  if not fence[1] or fence[1] == token or not untilMs then return false end
  local time = redis.call('TIME')
  local left = untilMs - (time[1] * 1000 + math.floor(time[2] / 1000))
  return left > 0 and left <= longestMs
end
