-- Makes a complete generation the live one.
--
-- KEYS[1]  live pointer
-- KEYS[2]  {new}:applied
-- KEYS[3]  {old}:applied (or {new}:applied where there is no old one)
-- KEYS[4]  {new}:writes (see complete.lua)
-- ARGV[1]  id of the old generation, or '' for none
-- ARGV[2]  id of the new generation
--
-- Returns {status, detail}:
--   applied   live = new
--   already   it was (its answer was lost)
--   overlap   another generation went live meanwhile
--   missing   the new generation has no applied, or half a write
--   behind    the new generation is behind the old one (a foreign one has lost its applied before this)
-- Atomic so that readers never go back: the new generation has at least what the old one had.

-- What is not a string points nowhere, and is replaced.
local function text(key)
  local reply = redis.pcall('GET', key)
  return type(reply) == 'string' and reply or nil
end

local live = text(KEYS[1]) or ''
if live == ARGV[2] then return { 'already', live } end
if live ~= ARGV[1] then return { 'overlap', live } end
local new = appliedTip(KEYS[2], KEYS[4])
if not new then return { 'missing', '' } end
local old = text(KEYS[3])
if old then
  local function position(tip) return tonumber(string.match(tip, '^(%d+):')) or 0 end
  if position(new) < position(old) then return { 'behind', old } end
end
redis.call('SET', KEYS[1], ARGV[2])
return { 'applied', ARGV[2] }
