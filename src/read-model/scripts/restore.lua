-- Makes damaged parts of the model what they should be at one position.
--
-- KEYS[1]  {g}:applied
-- KEYS[2]  {g}:writes       see complete.lua
-- ARGV[1]  tip at which the contents are true: what `applied` must be
-- ARGV[2]  contents, each as `type, key, count, values...`
--            none    the key should not exist
--            string  value
--            hash    field, value, ... : the whole hash
--            set     member, ...       : the whole set
--            zset    score, member, ...: only these members; score '' takes the member away
--
-- Returns {status, applied}: applied | behind (applied moved on or is gone; nothing was changed)
-- Atomic so that a content computed for one position is never written at another.

local applied = appliedTip(KEYS[1], KEYS[2])
if applied ~= ARGV[1] then return { 'behind', applied or '' } end

-- Far below the limit of unpack, and even, so that pairs stay together.
local STEP = 1000

local function write(command, key, first, last)
  for from = first, last, STEP do
    redis.call(command, key, unpack(ARGV, from, math.min(from + STEP - 1, last)))
  end
end

local restore = {}

function restore.none(key)
  redis.call('DEL', key)
end

function restore.string(key, first)
  redis.call('SET', key, ARGV[first])
end

function restore.hash(key, first, last)
  redis.call('DEL', key)
  write('HSET', key, first, last)
end

function restore.set(key, first, last)
  redis.call('DEL', key)
  write('SADD', key, first, last)
end

function restore.zset(key, first, last)
  if redis.call('TYPE', key).ok ~= 'zset' then redis.call('DEL', key) end
  for at = first, last, 2 do
    if ARGV[at] == '' then
      redis.call('ZREM', key, ARGV[at + 1])
    else
      redis.call('ZADD', key, ARGV[at], ARGV[at + 1])
    end
  end
end

local writes = beginWrite(KEYS[2])
local at = 2
while at <= #ARGV do
  local count = tonumber(ARGV[at + 2])
  restore[ARGV[at]](ARGV[at + 1], at + 3, at + 2 + count)
  at = at + 3 + count
end
endWrite(KEYS[2], writes)
return { 'applied', applied }
