-- Begins the collection of a generation: removes its checkpoint, so that nobody reads it or writes to it any more. The
-- caller deletes its other keys after that.
--
-- KEYS[1]  lease of whoever resyncs
-- KEYS[2]  live pointer
-- KEYS[3]  {g}:checkpoint
-- ARGV[1]  token of the caller's lease
-- ARGV[2]  id of the generation
-- ARGV[3]  the checkpoint that was found to be of another history; '' for none
--
-- Returns 'collected', or why not: 'no-lease'; 'in-use': it is live, and its checkpoint is another log position than ARGV[3].
-- Atomic so that a generation that is promoted, repaired or taken over at this moment is not collected.

local lease = redis.pcall('GET', KEYS[1])
if type(lease) ~= 'string' or string.sub(lease, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then return 'no-lease' end
local at = checkpointOf(KEYS[3])
local isHealthy = at and at ~= ARGV[3] and string.match(at, '^%d+:')
if isHealthy and redis.pcall('GET', KEYS[2]) == ARGV[2] then return 'in-use' end
redis.call('DEL', KEYS[3])
return 'collected'
