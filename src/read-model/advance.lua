-- The only script that changes the data of a generation: it compares the checkpoint, changes the data, and sets the next
-- checkpoint. Live apply, filling and repair all use it; a repair's next checkpoint is the expected one.
--
-- KEYS[1]  {g}:checkpoint   see checkpoint.lua
-- ARGV[1]  expected: what `at` must be
-- ARGV[2]  next: what it will be
-- ARGV[3]  the caller's token of the fencing lock, or ''
-- ARGV[4]  longest time for which a fencing lock is valid, in milliseconds
-- ARGV[5]  operations (see operations.lua)
--
-- Returns {status, detail}:
--   advanced   the data was changed, at = next; detail is ''
--   elsewhere  `at` is not what was expected; nothing was changed; detail is `at`
--   missing    there is no checkpoint, or half a write: not a complete model; nothing was changed
--   fenced     a repair holds the fencing lock; nothing was changed
--   broken     an operation failed half-way; the checkpoint was removed, the generation must be given up; detail says why
-- Redis itself answers OOM before the script starts (`#!lua` asks for that), so then nothing was changed.
--
-- Atomic because the comparison, the change and the new checkpoint are one: a duplicate, a retry, a zombie and a second
-- instance all fail the comparison.

local at = checkpointOf(KEYS[1])
if not at then return { 'missing', '' } end
local expected, next = ARGV[1], ARGV[2]
if at ~= expected then return { 'elsewhere', at } end
if isFenced(KEYS[1], ARGV[3], tonumber(ARGV[4])) then return { 'fenced', at } end

local count = call('HINCRBY', KEYS[1], 'begun', 1)
local done, failure = pcall(run, ARGV[5])
if not done then
  call('DEL', KEYS[1])
  return { 'broken', failure }
end
call('HSET', KEYS[1], 'at', next, 'ended', count)
return { 'advanced', '' }
