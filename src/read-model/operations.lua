-- Part of advance.lua.
--
-- run(text): carries out operations, a JSON array of arrays `[name, key, args...]` of strings: changes as changes.ts encodes
-- them, and repairs as repair.ts does. A name in capitals is a command of Redis; the others are the functions below. Raises
-- the error of the operation that failed; what came before it is NOT undone, so the generation must then be given up.
--
-- A counter, field or member whose value comes to zero is removed. Scores are exact: the write side keeps every sum below
-- 2^53.

local call = redis.call
local own = {}

-- key, by
function own.count(op)
  if call('INCRBY', op[2], op[3]) == 0 then call('DEL', op[2]) end
end

-- key, field, by
own['count-field'] = function(op)
  if call('HINCRBY', op[2], op[3], op[4]) == 0 then call('HDEL', op[2], op[3]) end
end

-- key, by, member, by, member, ...
-- Two commands for any number of members: each command that a script calls costs more than what it does.
function own.rank(op)
  local key, members = op[2], {}
  for at = 4, #op, 2 do members[#members + 1] = op[at] end
  local scores = call('ZMSCORE', key, unpack(members))
  local changed, gone = {}, {}
  for i, member in ipairs(members) do
    local score = tonumber(scores[i] or 0) + tonumber(op[2 * i + 1])
    if score == 0 then
      gone[#gone + 1] = member
    else
      changed[#changed + 1] = score
      changed[#changed + 1] = member
    end
  end
  if #changed > 0 then call('ZADD', key, unpack(changed)) end
  if #gone > 0 then call('ZREM', key, unpack(gone)) end
end

-- key, id, id, ...: the score is the id
function own.list(op)
  local pairs = {}
  for at = 3, #op do
    pairs[#pairs + 1] = op[at]
    pairs[#pairs + 1] = op[at]
  end
  call('ZADD', op[2], unpack(pairs))
end

-- key, index, block, id, id, ...
function own.block(op)
  call('SADD', op[2], unpack(op, 5))
  call('ZADD', op[3], op[4], op[4])
end

-- key, index, block, id, id, ...
function own.unblock(op)
  call('SREM', op[2], unpack(op, 5))
  if call('EXISTS', op[2]) == 0 then call('ZREM', op[3], op[4]) end
end

local function carryOut(op)
  local change = own[op[1]]
  if change then change(op) else call(unpack(op)) end
end

local function run(text)
  for _, op in ipairs(cjson.decode(text)) do
    local ok, failure = pcall(carryOut, op)
    if not ok then error(op[1] .. ' ' .. op[2] .. ': ' .. (failure.err or failure), 0) end
  end
end
