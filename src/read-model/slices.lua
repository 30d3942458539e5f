-- What several keys hold, in a canonical form: its digest, so that a verification need not move every value over the wire,
-- or the values themselves.
--
-- ARGV[1]  'digest' or 'contents'
-- ARGV[2]  JSON array of what to look at, each an array of
--            none    key
--            string  key
--            set     key                of whole numbers; in ascending order
--            hash    key, field, ...    of these fields, and how many there are
--            zset    key, member, ...   of these members, and how many there are
--
-- The value is, for 'digest', the SHA-1 in hexadecimal of the text that slices.ts makes of what should be there; for
-- 'contents', an array with [size, [value, ...]] of each, false for a field or member that does not exist, or 'other' for a
-- key of another type.

local call, concat = redis.call, table.concat
local NONE = {}
local look = {}

function look.none(item)
  return call('EXISTS', item[2]), NONE
end

function look.string(item)
  local value = call('GET', item[2])
  if value then return 1, { value } end
  return 0, NONE
end

function look.set(item)
  local members = call('SMEMBERS', item[2])
  -- Redis keeps a set of whole numbers in ascending order, but not one that has held something else.
  for i = 2, #members do
    if tonumber(members[i - 1]) >= tonumber(members[i]) then
      table.sort(members, function(a, b) return tonumber(a) < tonumber(b) end)
      break
    end
  end
  return #members, members
end

function look.hash(item)
  return call('HLEN', item[2]), #item == 2 and NONE or call('HMGET', unpack(item, 2))
end

function look.zset(item)
  return call('ZCARD', item[2]), #item == 2 and NONE or call('ZMSCORE', unpack(item, 2))
end

local items = cjson.decode(ARGV[2])
local texts = {}
if ARGV[1] == 'digest' then
  local function text(item)
    local size, values = look[item[1]](item)
    return #values == 0 and size or size .. '\31' .. concat(values, '\31')
  end
  for i, item in ipairs(items) do
    -- A field or member that does not exist, or a key of another type, differs from whatever should be there.
    local known, found = pcall(text, item)
    texts[i] = known and found or 'damaged'
  end
  return answer('"' .. redis.sha1hex(concat(texts, '\30')) .. '"')
end

for i, item in ipairs(items) do
  local known, size, values = pcall(look[item[1]], item)
  texts[i] = known and '[' .. size .. ',' .. list(values) .. ']' or '"other"'
end
return answer('[' .. concat(texts, ',') .. ']')
