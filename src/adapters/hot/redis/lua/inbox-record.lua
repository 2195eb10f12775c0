-- Included by the scripts of the inbox, with `inbox`, `retention` in ms and `whose` (group and source) before it. What all
-- groups know of a subject is one text: until when in ms it is remembered, then a line for each group and source, after a
-- line break, with a space between its parts; ids and the like come without white space and commas.
--
--   whose     group and source
--   mark      sequence of the latest call to act that was begun, and of which id; both '' before the first
--   tried     ids that somebody began and did not settle: ',a,b,', the latest first
--   done      ids that took effect, likewise
--   until     while an event is held: until when in ms, 16 digits, then its id, and the member's token
--
-- The texts are in hashes, by subject, so that one command reads a batch and one writes it. What is written in a quarter
-- of the retention goes to one hash, which is named by when the last of it is forgotten, and is then removed as a whole.
-- A text stands in one of them. The set `inbox` has their names.
local call, find, sub, match = redis.call, string.find, string.sub, string.match
local OURS = '\n' .. whose .. ' '
local LINE = '^(%S*) (%S*) (%S*) (%S*) ?(%d*) ?(%S*) ?(%S*)$'
local UNTIL = ' 0000000000000000'

-- How many ids are kept of either kind: an event of which so many later ones took effect is new again, unless it is a
-- call to act, which the mark stops.
local KEPT = 32

-- The server's time, whatever time the callers live in.
local clock, current
do
  local time = call('TIME')
  clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local length = math.ceil(retention / 4)
  current = string.format('%.0f', (math.floor(clock / length) + 1) * length + retention)
end
local rememberedUntil = string.format('%.0f', clock + retention)

local subjects, texts = {}, {}
-- Of those that do not stand in the current hash, where they do; and what this call writes, for a subject may come twice.
local elsewhere, written, writes = {}, {}, {}

local function hashOf(period) return inbox .. ':' .. period end

-- Reads what is known of `subjects`.
local function readTexts()
  local missing, places = subjects, nil
  for _, period in ipairs(call('SMEMBERS', inbox)) do
    local found, rest, restAt = call('HMGET', hashOf(period), unpack(missing)), {}, {}
    for i = 1, #missing do
      local subject, text = missing[i], found[i]
      local at = places and places[i] or i
      if text then
        texts[at] = text
        -- What was written a moment ago is not forgotten yet.
        if period ~= current then
          elsewhere[subject] = period
          local remembered = tonumber(match(text, '^%d+'))
          if remembered and remembered <= clock then texts[at] = false end
        end
      else
        rest[#rest + 1], restAt[#restAt + 1] = subject, at
      end
    end
    missing, places = rest, restAt
    if #missing == 0 then return end
  end
end

local function write(subject, text)
  written[subject] = text
  local n = #writes
  writes[n + 1], writes[n + 2] = subject, text
end

-- Forgets the hashes of which nothing is remembered any more.
local function sweep()
  for _, period in ipairs(call('SMEMBERS', inbox)) do
    if tonumber(period) <= clock then
      call('UNLINK', hashOf(period))
      call('SREM', inbox, period)
    end
  end
end

local function writeTexts()
  if #writes == 0 then return end
  for subject in pairs(written) do
    local period = elsewhere[subject]
    if period then call('HDEL', hashOf(period), subject) end
  end
  call('HSET', hashOf(current), unpack(writes))
  if call('SADD', inbox, current) == 1 then sweep() end
end

-- Where in a subject's text the line of `whose` is, and where what follows `whose` begins. Raises where the text is not ours.
local function placeOf(text)
  local from, to = find(text, OURS, 1, true)
  if not from then
    if not find(text, '^%d+\n') then error('not a record of the inbox') end
    return nil
  end
  local behind = find(text, '\n', to, true)
  return from, behind and behind - 1 or #text, to + 1
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

-- Where the part of the line of `whose` begins that says that `id` is held by `token`, and where it ends; nil: it is not.
local function heldAt(text, id, token)
  local from, to, rest = placeOf(text)
  if not from then return nil end
  local held = ' ' .. id .. ' ' .. token
  local at = to - #held
  if at - #UNTIL < rest or sub(text, at + 1, to) ~= held then return nil end
  return at - #UNTIL + 1, to, from
end
