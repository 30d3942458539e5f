-- The best-selling products of one ranking: of all time, or of one period.
--
-- KEYS[2]  ranking to read
-- KEYS[3]  the other ranking (revenue for sold, sold for revenue)
-- ARGV[1]  how many, at most a few hundred
-- ARGV[2]  prefix of the products' hashes
--
-- The value is [[member, score, score in the other ranking or false, name, SKU], ...]. Scores are texts: cjson would round
-- large numbers.

local ranked = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'WITHSCORES')
if #ranked == 0 then return answer('[]') end
local members = {}
for i = 1, #ranked, 2 do members[#members + 1] = ranked[i] end
local others = redis.call('ZMSCORE', KEYS[3], unpack(members))
local rows = {}
for i, member in ipairs(members) do
  local product = redis.call('HMGET', ARGV[2] .. string.sub(member, 2), 'name', 'sku')
  rows[i] = { member, ranked[2 * i], others[i], product[1] or '', product[2] or '' }
end
return answer(list(rows))
