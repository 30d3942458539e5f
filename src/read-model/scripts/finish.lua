#!lua
-- Declares a filled generation complete at a tip.
--
-- KEYS[1]  {g}:building
-- KEYS[2]  {g}:applied
-- ARGV[1]  expected value of KEYS[1]: every chunk was written
-- ARGV[2]  tip of the snapshot that the chunks were read from
--
-- Returns {status, detail}: applied | already (its answer was lost) | missing (as in fill.lua)
-- Atomic so that there is never both a `building` and an `applied`.

local applied = redis.call('GET', KEYS[2])
if applied == ARGV[2] then return { 'already', '' } end
local building = redis.call('GET', KEYS[1])
if building ~= ARGV[1] then return { 'missing', building or '' } end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2])
return { 'applied', '' }
