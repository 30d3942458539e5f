-- Carries out several reading commands at one moment. A script rather than a MULTI, because Redis refuses to queue even
-- reading commands while its memory is full, and because it is one command to send and to answer.
--
-- KEYS[i + 1]  the key of command i
-- ARGV         for each command: the number of its further arguments, its name, those arguments
--
-- The value is [reply, reply, ...]. A reply is a list, also that of a command with a single answer, and false stands for nil.

local replies = {}
local next = 1
for i = 2, #KEYS do
  local last = next + 1 + tonumber(ARGV[next])
  local reply = redis.call(ARGV[next + 1], KEYS[i], unpack(ARGV, next + 2, last))
  replies[i - 1] = list(type(reply) == 'table' and reply or { reply })
  next = last + 1
end
return answer('[' .. table.concat(replies, ',') .. ']')
