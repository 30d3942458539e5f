-- The best-selling products of all time.
--
-- KEYS[1]  {g}:applied
-- KEYS[2]  {g}:writes (see complete.lua)
-- KEYS[3]  ranking to read
-- KEYS[4]  the other ranking (revenue for sold, sold for revenue)
-- ARGV[1]  how many
-- ARGV[2]  prefix of the products' hashes
--
-- Returns {applied, {{member, score, score in the other ranking or nil, name, sku}, ...}}; scores are negated.
-- Atomic so that the position is the one at which the figures are true.

local applied = appliedTip(KEYS[1], KEYS[2])
if not applied then return { false, {} } end
local ranked = redis.call('ZRANGE', KEYS[3], 0, ARGV[1] - 1, 'WITHSCORES')
local rows = {}
for i = 1, #ranked, 2 do
  local member = ranked[i]
  local product = redis.call('HMGET', ARGV[2] .. string.sub(member, 2), 'name', 'sku')
  rows[#rows + 1] = {
    member, ranked[i + 1], redis.call('ZSCORE', KEYS[4], member), product[1] or '', product[2] or '',
  }
end
return { applied, rows }
