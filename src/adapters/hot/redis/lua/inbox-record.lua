-- Included by the scripts of the inbox. What all groups know of a subject is one text: a line for each group and source,
-- after a line break, of eight parts with a space between them; ids and the like come without white space and commas.
--
--   whose     group and source
--   mark      sequence of the latest call to act that was begun, and of which id; both '' before the first
--   until     until when in ms an event is held, '' where none is; then its id, and the member's token
--   tried     ids that somebody began and did not settle: ',a,b,', the latest first
--   done      ids that took effect, likewise
--
-- One text and not a hash of them, for a batch is read by one MGET, and a command costs more than the bytes.
local call, find, sub = redis.call, string.find, string.sub
local LINE = '^\n(%S+) (%S*) (%S*) (%d*) (%S*) (%S*) (%S*) (%S*)$'

-- How many ids are kept of either kind: an event of which so many later ones took effect is new again, unless it is a
-- call to act, which the mark stops.
local KEPT = 32

-- The line of `whose` in a subject's text, and where it begins and ends. Raises where the text is not ours.
local function lineOf(text, whose)
  if sub(text, 1, 1) ~= '\n' then error('not a record of the inbox') end
  local from = find(text, '\n' .. whose .. ' ', 1, true)
  if not from then return nil, #text + 1, #text end
  local behind = find(text, '\n', from + 1, true)
  local to = behind and behind - 1 or #text
  return (from == 1 and not behind) and text or sub(text, from, to), from, to
end

local function replaced(text, from, to, line)
  if from == 1 and to == #text then return line end
  return sub(text, 1, from - 1) .. line .. sub(text, to + 1)
end

local function has(ids, id) return find(ids, ',' .. id .. ',', 1, true) end

local function with(ids, id)
  ids = ',' .. id .. ids
  if #ids <= 2 * KEPT then return ids end
  local at = 1
  for _ = 1, KEPT do at = at and find(ids, ',', at + 1, true) end
  return at and sub(ids, 1, at) or ids
end

local function without(ids, id)
  local from, to = has(ids, id)
  return from and sub(ids, 1, from) .. sub(ids, to + 1) or ids
end

-- What stands at `keys` from the n-th on; nil where there is no text, which may be because it is another type of key.
local function textsAt(keys, n) return call('MGET', unpack(keys, n)) end
