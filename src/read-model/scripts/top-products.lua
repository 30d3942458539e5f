-- The best-selling products of one ranking: of all time, or of one period.
--
-- KEYS[1]  {g}:applied
-- KEYS[2]  {g}:writes (see complete.lua)
-- KEYS[3]  ranking to read
-- KEYS[4]  the other ranking (revenue for sold, sold for revenue)
-- ARGV[1]  how many
-- ARGV[2]  prefix of the products' hashes
--
-- Returns the JSON text [applied, [[member, score, score in the other ranking or false, name, sku], ...]], or [false];
-- scores are negated. JSON: see read.lua.
-- Atomic so that the position is the one at which the figures are true.

local applied = appliedTip(KEYS[1], KEYS[2])
if not applied then return '[false]' end
local ranked = redis.call('ZRANGE', KEYS[3], 0, ARGV[1] - 1, 'WITHSCORES')
if #ranked == 0 then return '[' .. cjson.encode(applied) .. ',[]]' end
local members = {}
for i = 1, #ranked, 2 do members[#members + 1] = ranked[i] end
local others = redis.call('ZMSCORE', KEYS[4], unpack(members))
local rows = {}
for i, member in ipairs(members) do
  local product = redis.call('HMGET', ARGV[2] .. string.sub(member, 2), 'name', 'sku')
  rows[i] = { member, ranked[2 * i], others[i], product[1] or '', product[2] or '' }
end
return cjson.encode({ applied, rows })
