-- Shared by apply.lua and fill.lua, which are prefixed with it.
--
-- run(first): carries out the operations in ARGV[first..], each as `count, COMMAND, args...`, as encoded by changes.ts.
-- Raises the error of the operation that failed; what came before it is NOT undone, so the caller must then give up the
-- generation.
--
-- A counter, field or member whose value comes to zero is removed. A ranking's score that leaves the range in which a
-- double is exact (2^53) becomes infinite and stays so, until a verification finds that it fits again: a sum that may be
-- off by a cent is never shown.

local EXACT = 9007199254740992

local call = redis.call
local commands = {}

-- key, field, value, ...: the whole hash
function commands.HSET(first, last)
  call('HSET', unpack(ARGV, first, last))
end

-- key
function commands.DEL(first)
  call('DEL', ARGV[first])
end

-- key, by
function commands.INCRBY(first)
  if call('INCRBY', ARGV[first], ARGV[first + 1]) == 0 then call('DEL', ARGV[first]) end
end

-- key, field, by
function commands.HINCRBY(first)
  local key, field = ARGV[first], ARGV[first + 1]
  if call('HINCRBY', key, field, ARGV[first + 2]) == 0 then call('HDEL', key, field) end
end

-- key, by, member, by, member, ...
-- Two commands for any number of members: each command that a script calls costs more than what it does.
function commands.ZINCRBY(first, last)
  local key, members = ARGV[first], {}
  for at = first + 2, last, 2 do members[#members + 1] = ARGV[at] end
  local scores = call('ZMSCORE', key, unpack(members))
  local changed, gone = {}, {}
  for i, member in ipairs(members) do
    local score = tonumber(scores[i] or 0) + tonumber(ARGV[first + 2 * i - 1])
    if score == 0 then
      gone[#gone + 1] = member
    else
      if score >= EXACT then score = '+inf' elseif score <= -EXACT then score = '-inf' end
      changed[#changed + 1] = score
      changed[#changed + 1] = member
    end
  end
  if #changed > 0 then call('ZADD', key, unpack(changed)) end
  if #gone > 0 then call('ZREM', key, unpack(gone)) end
end

-- key, id, id, ...: the score is the id
function commands.ZADD(first, last)
  local pairs = {}
  for at = first + 1, last do
    pairs[#pairs + 1] = ARGV[at]
    pairs[#pairs + 1] = ARGV[at]
  end
  call('ZADD', ARGV[first], unpack(pairs))
end

-- key, id, id, ...
function commands.ZREM(first, last)
  call('ZREM', unpack(ARGV, first, last))
end

-- key, index, block, id, id, ...
function commands.SADD(first, last)
  call('SADD', ARGV[first], unpack(ARGV, first + 3, last))
  call('ZADD', ARGV[first + 1], ARGV[first + 2], ARGV[first + 2])
end

-- key, index, block, id, id, ...
function commands.SREM(first, last)
  call('SREM', ARGV[first], unpack(ARGV, first + 3, last))
  if call('EXISTS', ARGV[first]) == 0 then call('ZREM', ARGV[first + 1], ARGV[first + 2]) end
end

local function run(first)
  local at = first
  while at <= #ARGV do
    local last = at + 1 + tonumber(ARGV[at])
    local ok, failure = pcall(commands[ARGV[at + 1]], at + 2, last)
    if not ok then error(ARGV[at + 1] .. ' ' .. ARGV[at + 2] .. ': ' .. (failure.err or failure), 0) end
    at = last + 1
  end
end
