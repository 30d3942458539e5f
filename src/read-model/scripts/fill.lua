-- Writes one chunk of a generation that is being built.
--
-- KEYS[1]  {g}:building     `token:number of the next chunk`
-- KEYS[2]  {g}:writes       see complete.lua
-- ARGV[1]  expected value of KEYS[1]
-- ARGV[2]  its next value
-- ARGV[3]  operations (see operations.lua)
--
-- Returns {status, detail}:
--   applied   the chunk is written
--   already   this very chunk was written before (its answer was lost)
--   missing   building is not what was expected: Redis lost something, or the generation was collected: give up
--   broken    an operation failed half-way; building was removed
--
-- Atomic so that a Redis that lost a chunk on the way, or a second builder, is noticed.

local building = redis.call('GET', KEYS[1])
if building == ARGV[2] then return { 'already', '' } end
if building ~= ARGV[1] then return { 'missing', building or '' } end

local count = beginWrite(KEYS[2])
local done, failure = pcall(run, ARGV[3])
if not done then
  redis.call('DEL', KEYS[1])
  return { 'broken', failure }
end
redis.call('SET', KEYS[1], ARGV[2])
endWrite(KEYS[2], count)
return { 'applied', '' }
