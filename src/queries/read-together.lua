-- Carries out several reading commands at one moment. A script rather than a MULTI, because Redis refuses to queue even
-- reading commands while its memory is full, and because it is one command to send and to answer.
--
-- KEYS[1]      {g}:checkpoint
-- KEYS[i + 1]  the key of command i
-- ARGV         for each command: the number of its further arguments, its name, those arguments
--
-- Returns the JSON text [at, [reply, reply, ...]], or [false] where the generation is not complete. A reply is a list, also
-- that of a command with a single answer, and false stands for nil.
-- Atomic so that all replies are true at one position.

local at = checkpointOf(KEYS[1])
if not at then return '[false]' end
local replies = {}
local next = 1
for i = 2, #KEYS do
  local last = next + 1 + tonumber(ARGV[next])
  local reply = redis.call(ARGV[next + 1], KEYS[i], unpack(ARGV, next + 2, last))
  if type(reply) ~= 'table' then reply = { reply } end
  -- cjson encodes an empty table as an object.
  replies[i - 1] = #reply == 0 and '[]' or cjson.encode(reply)
  next = last + 1
end
return '[' .. cjson.encode(at) .. ',[' .. table.concat(replies, ',') .. ']]'
