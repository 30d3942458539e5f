-- Begins every script that reads a generation; checkpoint.lua comes before it. KEYS[1] is `{g}:checkpoint`.
--
-- Such a script returns the JSON text [at, value], or [false] where the generation is not complete. It is atomic so that the
-- value is true at the position `at`.

local at = checkpointOf(KEYS[1])
if not at then return '[false]' end

-- The JSON text of a list. cjson encodes an empty table as an object.
local function list(values) return #values == 0 and '[]' or cjson.encode(values) end

-- What the script returns. @param json the text of the value
local function answer(json) return '[' .. cjson.encode(at) .. ',' .. json .. ']' end
