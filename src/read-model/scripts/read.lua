-- Carries out several reading commands at one moment. A script rather than a MULTI, because Redis refuses to queue even
-- reading commands while its memory is full, and because it is one command to send and to answer.
--
-- KEYS[1]      {g}:applied
-- KEYS[2]      {g}:writes (see complete.lua)
-- KEYS[i + 2]  the key of command i
-- ARGV         for each command: the number of its further arguments, its name, those arguments
--
-- Returns the JSON text [applied, reply, reply, ...] with false for nil, or [false]: one string costs the client a tenth of what the
-- same as nested replies does.
-- Atomic so that all replies are true at one position.

-- Far below the limit of unpack.
local STEP = 1000

local applied = appliedTip(KEYS[1], KEYS[2])
if not applied then return '[false]' end
local replies = { cjson.encode(applied) }
local at = 1
for i = 3, #KEYS do
  local count, name = tonumber(ARGV[at]), ARGV[at + 1]
  local first, last = at + 2, at + 1 + count
  local reply = redis.call(name, KEYS[i], unpack(ARGV, first, math.min(first + STEP - 1, last)))
  -- Only commands that answer one by one for a list of members have more arguments than that.
  for from = first + STEP, last, STEP do
    local more = redis.call(name, KEYS[i], unpack(ARGV, from, math.min(from + STEP - 1, last)))
    for j = 1, #more do reply[#reply + 1] = more[j] end
  end
  -- An empty table would be encoded as an object.
  replies[i - 1] = #reply == 0 and '[]' or cjson.encode(reply)
  at = last + 1
end
return '[' .. table.concat(replies, ',') .. ']'
