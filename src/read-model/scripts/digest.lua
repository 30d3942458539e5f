-- A digest of several keys, so that a verification need not move every value over the wire.
--
-- KEYS[1]  {g}:applied
-- KEYS[2]  {g}:writes (see complete.lua)
-- ARGV[1]  JSON array of what to look at (see digest.ts), each an array of
--            none    key
--            string  key
--            hash    key, field, ...    of these fields, and how many there are
--            set     key
--            zset    key, member, ...   of these members, and how many there are
--
-- Returns {applied, SHA-1 in hexadecimal}, of the text that digest.ts makes of what should be there.
-- Atomic so that all of it is true at one position.

local applied = appliedTip(KEYS[1], KEYS[2])
local call, concat = redis.call, table.concat
local look = {}

function look.none(item)
  return call('EXISTS', item[2])
end

function look.string(item)
  local value = call('GET', item[2])
  return value and '=' .. value or 'none'
end

function look.hash(item)
  local size = call('HLEN', item[2])
  return #item == 2 and size or size .. '\31' .. concat(call('HMGET', unpack(item, 2)), '\31')
end

function look.set(item)
  local members = call('SMEMBERS', item[2])
  return #members == 0 and '0' or #members .. '\31' .. concat(members, '\31')
end

function look.zset(item)
  local size = call('ZCARD', item[2])
  return #item == 2 and size or size .. '\31' .. concat(call('ZMSCORE', unpack(item, 2)), '\31')
end

local texts = {}
for i, item in ipairs(cjson.decode(ARGV[1])) do
  local known, text = pcall(look[item[1]], item)
  -- A field or member that is not there, or a key of another type, differs from whatever should be there.
  texts[i] = known and text or 'damaged'
end
return { applied, redis.sha1hex(concat(texts, '\30')) }
