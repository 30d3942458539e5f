-- A page of orders, highest id first.
--
-- KEYS[2]  sorted set of a user's orders, or of the blocks of all orders
-- ARGV[1]  how many
-- ARGV[2]  only ids below this one
-- ARGV[3]  prefix of the orders' hashes
-- ARGV[4]  prefix of the blocks, or '' where KEYS[2] holds the ids themselves
-- ARGV[5]  the block of ARGV[2] (only with ARGV[4])
-- ARGV[6] to the last  the fields to read of each order
--
-- The value is [[[field, field, ...], ...], next]; `next` is the lowest id of the page if there are orders below it, else
-- false.
-- An order whose hash lacks a field is damaged: it is left out until a repair. Work is bounded: every listed block holds at
-- least one order.

local limit, below = tonumber(ARGV[1]), tonumber(ARGV[2])
-- One more tells whether there is a next page.
local wanted = limit + 1

local ids
if ARGV[4] == '' then
  ids = redis.call('ZRANGE', KEYS[2], '(' .. ARGV[2], '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, wanted)
else
  ids = {}
  local blocks = redis.call('ZRANGE', KEYS[2], ARGV[5], '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, wanted + 1)
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

local function isWhole(row)
  for i = 1, #row do
    if not row[i] then return false end
  end
  return true
end

local rows = {}
for i = 1, math.min(#ids, limit) do
  local row = redis.call('HMGET', ARGV[3] .. ids[i], unpack(ARGV, 6))
  if isWhole(row) then rows[#rows + 1] = row end
end
local next = cjson.encode(#ids > limit and ids[limit])
return answer('[' .. list(rows) .. ',' .. next .. ']')
