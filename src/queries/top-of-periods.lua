-- The best-selling products of several periods together.
--
-- KEYS[2] to KEYS[n + 1]   the rankings of the n periods; the settled ones last
-- KEYS[n + 2] to the last  their other rankings (revenue for sold, sold for revenue)
-- ARGV[1]  how many products
-- ARGV[2]  how many members of each ranking to read, at least as many as products
-- ARGV[3]  prefix of the products' hashes
-- ARGV[4]  how many members of the rankings may be read or looked up; looking up the other amounts of the top is not counted
-- ARGV[5]  '' or the head of the settled rankings, which the caller has added up to one: JSON of
--          {periods: how many they are, members: [...], sums: [...], bound: what no other member has more than}
--
-- The threshold algorithm of Fagin, Lotem and Naor (Optimal aggregation algorithms for middleware, PODS 2001): the script
-- reads the head of each ranking. A product in no head has at most the sum of the heads' last amounts, the threshold. One in
-- some heads has at most its amounts there and the last amounts of the others. The script looks up all amounts of a product
-- only where these bounds say that it could be among the top.
--
-- The value is one of
--   [[member, sum, sum in the other rankings, name, SKU], ...]   sums are texts: cjson would round large numbers
--   'deeper'     a product below the heads could be among the top: ask for more of them
--   'too much'   this takes more members than were allowed

local limit, depth, left = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local periods = (#KEYS - 1) / 2
local settled = ARGV[5] ~= '' and cjson.decode(ARGV[5]) or { periods = 0, members = {}, sums = {}, bound = 0 }
-- The first of the periods whose rankings are settled.
local firstSettled = periods - settled.periods + 1

-- Far below the limit of unpack.
local STEP = 1000

-- Adds the amounts of the members in a ranking to their sums. Rankings hold negated amounts.
local function addAmounts(sums, ranking, members)
  for from = 1, #members, STEP do
    local scores = redis.call('ZMSCORE', ranking, unpack(members, from, math.min(from + STEP - 1, #members)))
    for i = 1, #scores do
      if scores[i] then
        local member = members[from + i - 1]
        sums[member] = sums[member] - scores[i]
      end
    end
  end
end

-- Of each member that is in some head: the sum of its amounts there, and of the last amounts of those heads.
local sums, covered = {}, {}
local heads, bounds, threshold = {}, {}, 0

-- Takes the head of a ranking, or of the settled ones together: `at(j)` is its member j, and the amount of that.
local function takeHead(size, bound, at)
  left = left - size
  if left < 0 then return false end
  local head = {}
  for j = 1, size do
    local member, amount = at(j)
    head[member] = true
    sums[member] = (sums[member] or 0) + amount
    covered[member] = (covered[member] or 0) + bound
  end
  heads[#heads + 1], bounds[#bounds + 1], threshold = head, bound, threshold + bound
  return true
end

for i = 1, firstSettled - 1 do
  local flat = redis.call('ZRANGE', KEYS[1 + i], 0, depth - 1, 'WITHSCORES')
  local bound = #flat < 2 * depth and 0 or -flat[#flat]
  local taken = takeHead(#flat / 2, bound, function(j) return flat[2 * j - 1], -flat[2 * j] end)
  if not taken then return answer('"too much"') end
end
if settled.periods > 0 then
  local taken = takeHead(#settled.members, settled.bound, function(j) return settled.members[j], settled.sums[j] end)
  if not taken then return answer('"too much"') end
end

-- The amount of the last of the top, or less: what it has in the heads alone.
local known = {}
for _, sum in pairs(sums) do known[#known + 1] = sum end
table.sort(known, function(a, b) return a > b end)
local least = known[limit] or 0

local candidates, open = {}, {}
for member, sum in pairs(sums) do
  if sum + (threshold - covered[member]) >= least then
    candidates[#candidates + 1] = member
    if covered[member] ~= threshold then open[#open + 1] = member end
  end
end
for i = 1, periods do
  local ranking = math.min(i, firstSettled)
  local head, unknown = heads[ranking], {}
  if bounds[ranking] ~= 0 then
    for _, member in ipairs(open) do
      if not head[member] then unknown[#unknown + 1] = member end
    end
  end
  left = left - #unknown
  if left < 0 then return answer('"too much"') end
  addAmounts(sums, KEYS[1 + i], unknown)
end

local function idOf(member) return tonumber(string.sub(member, 2)) end
table.sort(candidates, function(a, b)
  if sums[a] == sums[b] then return idOf(a) < idOf(b) end
  return sums[a] > sums[b]
end)
local top = {}
for i = 1, math.min(limit, #candidates) do top[i] = candidates[i] end
local last = #top == limit and sums[top[limit]] or 0
-- Below a single head, nobody wins a tie: it is in the order of the ids.
local isDecided = threshold < last or threshold == 0 or (#heads == 1 and threshold == last)
if not isDecided then return answer('"deeper"') end

local others = {}
for _, member in ipairs(top) do others[member] = 0 end
for i = 1, periods do addAmounts(others, KEYS[1 + periods + i], top) end

-- As a ranking holds it.
local function score(sum) return string.format('%.0f', 0 - sum) end
local rows = {}
for i, member in ipairs(top) do
  local product = redis.call('HMGET', ARGV[3] .. string.sub(member, 2), 'name', 'sku')
  rows[i] = { member, score(sums[member]), score(others[member]), product[1] or '', product[2] or '' }
end
return answer(list(rows))
