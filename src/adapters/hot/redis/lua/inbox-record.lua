-- Included by the scripts of the inbox. What all groups know of a subject is one text: until when in ms it is remembered,
-- then a line for each group and source, after a line break, of eight parts with a space between them; ids and the like
-- come without white space and commas.
--
--   whose     group and source
--   mark      sequence of the latest call to act that was begun, and of which id; both '' before the first
--   tried     ids that somebody began and did not settle: ',a,b,', the latest first
--   done      ids that took effect, likewise
--   until     until when in ms an event is held, '' where none is; then its id, and the member's token
--
-- The texts are in hashes, by subject, so that one command reads a batch and one writes it: a key for each subject cost
-- Redis 6 us more an event. What is written in a quarter of the retention goes to one hash, which is named by when the
-- last of it is forgotten, and is then removed as a whole. A text stands in one of them. The set `inbox` has their names.
local call, find, sub, match = redis.call, string.find, string.sub, string.match
local LINE = '^\n%S+ (%S*) (%S*) (%S*) (%S*) (%d*) (%S*) (%S*)$'
local HELD = '^(\n%S+ %S* %S*) (%S*) (%S*) %d+ (%S+) (%S+)$'

-- How many ids are kept of either kind: an event of which so many later ones took effect is new again, unless it is a
-- call to act, which the mark stops.
local KEPT = 32

-- The server's, for replicas of a subscriber may live in times of their own.
local clock
do
  local time = call('TIME')
  clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function hashOf(inbox, period) return inbox .. ':' .. period end

-- What is known of each subject, nil of which nothing is, and in which hash that stands.
local function textsOf(inbox, subjects)
  local texts, places, missing = {}, {}, subjects
  for _, period in ipairs(call('SMEMBERS', inbox)) do
    local hash, rest = hashOf(inbox, period), {}
    local found = call('HMGET', hash, unpack(missing))
    for i = 1, #missing do
      local subject, text = missing[i], found[i]
      if text then
        places[subject] = hash
        local rememberedUntil = tonumber(match(text, '^%d+'))
        if not rememberedUntil or rememberedUntil > clock then texts[subject] = text end
      else
        rest[#rest + 1] = subject
      end
    end
    missing = rest
    if #missing == 0 then break end
  end
  return texts, places
end

-- Forgets the hashes of which nothing is remembered any more.
local function sweep(inbox)
  for _, period in ipairs(call('SMEMBERS', inbox)) do
    if tonumber(period) <= clock then
      call('UNLINK', hashOf(inbox, period))
      call('SREM', inbox, period)
    end
  end
end

-- Writes subjects and texts in turn, and takes them from where they stood before.
local function write(inbox, retention, writes, places)
  if #writes == 0 then return end
  local length = math.ceil(retention / 4)
  local period = string.format('%.0f', (math.floor(clock / length) + 1) * length + retention)
  local hash = hashOf(inbox, period)
  for i = 1, #writes, 2 do
    local subject = writes[i]
    local place = places[subject]
    if place and place ~= hash then call('HDEL', place, subject) end
  end
  call('HSET', hash, unpack(writes))
  if call('SADD', inbox, period) == 1 then sweep(inbox) end
end

-- The line of `whose` in a subject's text, and where it begins and ends. Raises where the text is not ours.
local function lineOf(text, whose)
  local _, head = find(text, '^%d+\n')
  if not head then error('not a record of the inbox') end
  local from = find(text, '\n' .. whose .. ' ', head, true)
  if not from then return nil, #text + 1, #text end
  local behind = find(text, '\n', from + 1, true)
  local to = behind and behind - 1 or #text
  return sub(text, from, to), from, to
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
