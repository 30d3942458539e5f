-- A digest of several keys, so that a verification need not move every value over the wire.
--
-- KEYS[1]  {g}:applied
-- KEYS[2]  {g}:writes (see complete.lua)
-- ARGV[1]  JSON array of what to look at (see digest.ts), each an array of
--            none    key
--            string  key
--            hash    key, field, ...                     of these fields, and how many there are
--            set     key
--            zset    key, member, ...                    of these members, and how many there are
--
-- Returns {applied, SHA-1 in hexadecimal}, of the text that digest.ts makes of what should be there.
-- Atomic so that all of it is true at one position.

local applied = appliedTip(KEYS[1], KEYS[2])
local call = redis.call
local text = {}

-- With its length before it, so that no two contents have the same text.
local function write(value)
  if value then
    text[#text + 1] = #value
    text[#text + 1] = value
  else
    text[#text + 1] = '-'
  end
end

local function writeAll(values)
  for i = 1, #values do write(values[i]) end
end

local look = {}

function look.none(item)
  text[#text + 1] = call('EXISTS', item[2])
end

function look.string(item)
  write(call('GET', item[2]))
end

function look.hash(item)
  text[#text + 1] = call('HLEN', item[2])
  if #item > 2 then writeAll(call('HMGET', unpack(item, 2))) end
end

function look.set(item)
  local members = call('SMEMBERS', item[2])
  text[#text + 1] = #members
  writeAll(members)
end

function look.zset(item)
  text[#text + 1] = call('ZCARD', item[2])
  if #item > 2 then writeAll(call('ZMSCORE', unpack(item, 2))) end
end

for _, item in ipairs(cjson.decode(ARGV[1])) do
  -- A key of another type differs from whatever it should be.
  if not pcall(look[item[1]], item) then text[#text + 1] = 'another type' end
end
return { applied, redis.sha1hex(table.concat(text, ' ')) }
