-- Applies one batch of events, exactly once, onto the very tip that it was committed on.
--
-- KEYS[1]  {g}:applied      tip applied, `position:command_id`
-- KEYS[2]  {g}:fence        token of a repair in progress, if any
-- KEYS[3]  {g}:writes       see complete.lua
-- ARGV[1]  expected tip: what `applied` must be
-- ARGV[2]  next tip: what it will be
-- ARGV[3]  the caller's fence token, or ''
-- ARGV[4]  operations (see operations.lua)
--
-- Returns {status, applied or detail}:
--   applied   the data was changed, applied = next
--   already   applied is at or past next
--   overlap   applied is between expected and next: someone applied the first part
--   behind    applied is before expected
--   missing   there is no applied, or half a write: not a complete model
--   foreign   the same position, but another event: another history
--   fenced    a repair holds the fence
--   broken    an operation failed half-way; applied was removed, the generation must be rebuilt
-- Redis itself answers OOM before the script starts (`#!lua` asks for that), so then nothing was changed.
--
-- Atomic because the comparison, the change and the new tip are one: a duplicate, a retry, a zombie and a second
-- instance all fail the comparison.

local function position(tip)
  return tonumber(string.match(tip, '^(%d+):'))
end

local isString, applied = pcall(appliedTip, KEYS[1], KEYS[3])
if not isString then return { 'foreign', 'not a string' } end
if not applied then return { 'missing', '' } end
local expected, next = ARGV[1], ARGV[2]

if applied ~= expected then
  local at = position(applied)
  if not at then return { 'foreign', applied } end
  local from, to = position(expected), position(next)
  if at < from then return { 'behind', applied } end
  if at == from then return { 'foreign', applied } end
  if at < to then return { 'overlap', applied } end
  if at == to and applied ~= next then return { 'foreign', applied } end
  return { 'already', applied }
end

-- One that is not a string, or never expires, was set by hand and would hold for ever.
local fence = redis.pcall('GET', KEYS[2])
if type(fence) == 'string' and fence ~= ARGV[3] and redis.call('PTTL', KEYS[2]) > 0 then return { 'fenced', applied } end

local count = beginWrite(KEYS[3])
local done, failure = pcall(run, ARGV[4])
if not done then
  redis.call('DEL', KEYS[1])
  return { 'broken', failure }
end
redis.call('SET', KEYS[1], next)
endWrite(KEYS[3], count)
return { 'applied', next }
