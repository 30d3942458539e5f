-- The users who spent most.
--
-- KEYS[2]  ranking of users
-- ARGV[1]  how many
-- ARGV[2]  prefix of the users' hashes
-- ARGV[3]  suffix that makes it the key of a user's orders
--
-- The value is [[member, score, number of orders, name], ...]. Scores are texts: cjson would round large numbers.

local ranked = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'WITHSCORES')
local rows = {}
for i = 1, #ranked, 2 do
  local member = ranked[i]
  local user = ARGV[2] .. string.sub(member, 2)
  local orders = redis.call('ZCARD', user .. ARGV[3])
  rows[#rows + 1] = { member, ranked[i + 1], orders, redis.call('HGET', user, 'name') or '' }
end
return answer(list(rows))
