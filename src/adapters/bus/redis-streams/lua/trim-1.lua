-- Removes entries that every consumer group has settled.
--
-- KEYS[1]  the stream
-- ARGV[1]  how many entries to remove at most, about: bounds how long Redis is busy
-- Returns  how many were removed; 0 when nothing is left to remove
--
-- Guarantee: never removes an entry that a group has not read, or whose first delivery is out; what a group holds
-- for later (see hold-3.lua) is a copy of its own. Without a group nothing is removed, nor
-- for one alone that only observes.

--@include observers.include.lua

local stream, limit = KEYS[1], ARGV[1]

-- Ids are <milliseconds>-<number>, of up to 20 digits each: too large for Lua's numbers, so they compare as texts.
local function less(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then
    if #a_ms ~= #b_ms then return #a_ms < #b_ms end
    return a_ms < b_ms
  end
  if #a_seq ~= #b_seq then return #a_seq < #b_seq end
  return a_seq < b_seq
end

-- The id behind this one. A number that Lua would round (a foreign program's) stays as it is: one entry is kept longer.
local function after(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  if #seq > 15 then return id end
  return ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
end

local infos = redis.pcall('XINFO', 'GROUPS', stream)
if infos.err or #infos == 0 then return 0 end

local oldest
local read = false
for _, info in ipairs(infos) do
  local field = {}
  for j = 1, #info, 2 do field[info[j]] = info[j + 1] end
  if not observes(field['name']) then read = true end
  local unsettled = after(field['last-delivered-id'])
  if field['pending'] > 0 then
    local first = redis.call('XPENDING', stream, field['name'])[2]
    if first and less(first, unsettled) then unsettled = first end
  end
  if not oldest or less(unsettled, oldest) then oldest = unsettled end
end

if not read then return 0 end

-- Whole nodes first, for these cost little; then what is left of one node.
local removed = redis.call('XTRIM', stream, 'MINID', '~', oldest, 'LIMIT', limit)
if removed == 0 then removed = redis.call('XTRIM', stream, 'MINID', '=', oldest) end
return removed
