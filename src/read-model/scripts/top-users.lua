-- The users who spent most.
--
-- KEYS[1]  {g}:applied
-- KEYS[2]  {g}:writes (see complete.lua)
-- KEYS[3]  ranking of users
-- ARGV[1]  how many
-- ARGV[2]  prefix of the users' hashes
-- ARGV[3]  suffix that makes it the key of a user's orders
--
-- Returns the JSON text [applied, [[member, negated score, number of orders, name], ...]], or [false]. JSON: see
-- read.lua.
-- Atomic so that the position is the one at which the figures are true.

local applied = appliedTip(KEYS[1], KEYS[2])
if not applied then return '[false]' end
local ranked = redis.call('ZRANGE', KEYS[3], 0, ARGV[1] - 1, 'WITHSCORES')
if #ranked == 0 then return '[' .. cjson.encode(applied) .. ',[]]' end
local rows = {}
for i = 1, #ranked, 2 do
  local member = ranked[i]
  local user = ARGV[2] .. string.sub(member, 2)
  rows[#rows + 1] = {
    member, ranked[i + 1], redis.call('ZCARD', user .. ARGV[3]), redis.call('HGET', user, 'name') or '',
  }
end
return cjson.encode({ applied, rows })
