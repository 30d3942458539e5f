-- Shared by apply.lua and fill.lua, which are prefixed with it.
--
-- run(first): carries out the operations in ARGV[first..], each as `count, COMMAND, args...`, as encoded by
-- operations.ts. Returns nil, or the error of the operation that failed; what came before it is NOT undone, so the
-- caller must then give up the generation.
--
-- A counter, field or member whose value comes to zero is removed. A ranking's score that leaves the range in which a
-- double is exact (2^53) becomes infinite and stays so, until a verification finds that it fits again: a sum that may be
-- off by a cent is never shown.

local EXACT = 9007199254740992

local commands = {}

function commands.HSET(at, count)
  return redis.pcall('HSET', unpack(ARGV, at, at + count - 1))
end

function commands.DEL(at)
  return redis.pcall('DEL', ARGV[at])
end

function commands.INCRBY(at)
  local value = redis.pcall('INCRBY', ARGV[at], ARGV[at + 1])
  if value == 0 then return redis.pcall('DEL', ARGV[at]) end
  return value
end

function commands.HINCRBY(at)
  local value = redis.pcall('HINCRBY', ARGV[at], ARGV[at + 1], ARGV[at + 2])
  if value == 0 then return redis.pcall('HDEL', ARGV[at], ARGV[at + 1]) end
  return value
end

function commands.ZINCRBY(at)
  local key, by, member = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local reply = redis.pcall('ZINCRBY', key, by, member)
  if type(reply) == 'table' then return reply end
  local score = tonumber(reply)
  if score == 0 then return redis.pcall('ZREM', key, member) end
  if score >= EXACT then return redis.pcall('ZADD', key, '+inf', member) end
  if score <= -EXACT then return redis.pcall('ZADD', key, '-inf', member) end
  return reply
end

function commands.ZADD(at)
  return redis.pcall('ZADD', ARGV[at], ARGV[at + 1], ARGV[at + 2])
end

function commands.ZREM(at)
  return redis.pcall('ZREM', ARGV[at], ARGV[at + 1])
end

function commands.SADD(at)
  local reply = redis.pcall('SADD', ARGV[at], ARGV[at + 1])
  if type(reply) == 'table' then return reply end
  return redis.pcall('ZADD', ARGV[at + 2], ARGV[at + 3], ARGV[at + 3])
end

function commands.SREM(at)
  local reply = redis.pcall('SREM', ARGV[at], ARGV[at + 1])
  if type(reply) == 'table' then return reply end
  if redis.call('EXISTS', ARGV[at]) == 1 then return reply end
  return redis.pcall('ZREM', ARGV[at + 2], ARGV[at + 3])
end

local function run(first)
  local at = first
  while at <= #ARGV do
    local count, name = tonumber(ARGV[at]), ARGV[at + 1]
    local command = commands[name]
    if not command then return 'unknown operation ' .. tostring(name) end
    local reply = command(at + 2, count)
    if type(reply) == 'table' and reply.err then return name .. ' ' .. ARGV[at + 2] .. ': ' .. reply.err end
    at = at + 2 + count
  end
  return nil
end
