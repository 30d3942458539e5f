-- A page of orders, highest id first.
--
-- KEYS[1]  {g}:applied
-- KEYS[2]  {g}:writes (see complete.lua)
-- KEYS[3]  sorted set of a user's orders, or of the blocks of all orders
-- ARGV[1]  how many
-- ARGV[2]  only ids below this one
-- ARGV[3]  prefix of the orders' hashes
-- ARGV[4]  prefix of the blocks, or '' where KEYS[3] holds the ids themselves
-- ARGV[5]  the block of ARGV[2] (only with ARGV[4])
--
-- Returns the JSON text [applied, [[id, user_id, total_amount, items_count, items, created_at], ...], next], or
-- [false]; `next` is the lowest id of the page if there are orders below it, else false. JSON: see read.lua.
-- An order whose hash is not whole (damage that a repair will mend) is left out. Work is bounded: every listed block holds at
-- least one order.
-- Atomic so that a page is true at one position.

local applied = appliedTip(KEYS[1], KEYS[2])
if not applied then return '[false]' end
local limit, below = tonumber(ARGV[1]), tonumber(ARGV[2])
-- One more tells whether there is a next page.
local wanted = limit + 1

local ids
if ARGV[4] == '' then
  ids = redis.call('ZRANGE', KEYS[3], '(' .. ARGV[2], '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, wanted)
else
  ids = {}
  local blocks = redis.call('ZRANGE', KEYS[3], ARGV[5], '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, wanted + 1)
  for _, block in ipairs(blocks) do
    if #ids >= wanted then break end
    local members = {}
    for _, id in ipairs(redis.call('SMEMBERS', ARGV[4] .. block)) do
      if tonumber(id) < below then members[#members + 1] = tonumber(id) end
    end
    table.sort(members, function(a, b) return a > b end)
    for _, id in ipairs(members) do
      if #ids < wanted then ids[#ids + 1] = string.format('%.0f', id) end
    end
  end
end

local rows = {}
for i = 1, math.min(#ids, limit) do
  local row = redis.call('HMGET', ARGV[3] .. ids[i], 'id', 'user_id', 'total_amount', 'items_count', 'items', 'created_at')
  local whole = row[1] and row[2] and row[3] and row[4] and row[5] and row[6]
  if whole then rows[#rows + 1] = row end
end
local next = cjson.encode(#ids > limit and ids[limit])
return '[' .. cjson.encode(applied) .. ',' .. (#rows == 0 and '[]' or cjson.encode(rows)) .. ',' .. next .. ']'
