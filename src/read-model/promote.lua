-- Makes a complete generation the live one, and takes the old one out of use in the same moment.
--
-- KEYS[1]  live pointer
-- KEYS[2]  {new}:checkpoint
-- KEYS[3]  {old}:checkpoint (or {new}:checkpoint where there is no old one)
-- ARGV[1]  id of the old generation, or '' for none
-- ARGV[2]  id of the new generation
--
-- Returns {status, detail}:
--   promoted   the new generation is live, by this call or by an earlier one whose answer was lost
--   overtaken  another generation went live meanwhile
--   missing    the new generation is not complete
--   behind     the new generation is behind the old one, whose `at` is the detail. The comparison is of numbers: the
--              caller removes the checkpoint of an old generation of another history first
--
-- Atomic so that nobody goes back: the new generation has at least what the old one had, and without its checkpoint the old
-- one is neither read nor written from then on, whoever still takes it for live.

-- What is not a string points nowhere, and is replaced.
local pointer = redis.pcall('GET', KEYS[1])
local live = type(pointer) == 'string' and pointer or ''
if live == ARGV[2] then return { 'promoted', '' } end
if live ~= ARGV[1] then return { 'overtaken', live } end

local function positionIn(at)
  return at and tonumber(string.match(at, '^(%d+):'))
end
local new = positionIn(checkpointOf(KEYS[2]))
if not new then return { 'missing', '' } end
local oldAt = ARGV[1] ~= '' and checkpointOf(KEYS[3])
if oldAt and new < (positionIn(oldAt) or 0) then return { 'behind', oldAt } end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[1] ~= '' then redis.call('DEL', KEYS[3]) end
return { 'promoted', '' }
