-- Strikes published events from the pending ones of a batch of users.
--
-- KEYS  per user: ledger
-- ARGV  per user: number n of ids, then n ids
-- Returns the number of events struck.
-- Guarantee: exactly these ids go, whatever was added meanwhile; where any went, the ledger's version moves on, so that
-- a commit based on the earlier state fails.

local VERSION = 8

-- A commit counts in the first 7 digits of the version and a strike in the last, which goes from '0' to '~' and round.
local function versionAfter(text)
  return text:sub(1, VERSION - 1) .. string.char((text:byte(VERSION) - 47) % 79 + 48)
end

-- A ledger is version and JSON, then a line 'id event' for each pending event; JSON holds no line break.
local function without(text, ids)
  local struck, ends = 0, text:find('\n', 1, true)
  if not ends then return 0 end
  local kept = versionAfter(text) .. text:sub(VERSION + 1, ends - 1)
  while ends do
    local from = ends
    ends = text:find('\n', from + 1, true)
    local id = text:sub(from + 1, (text:find(' ', from, true) or from) - 1)
    if ids[id] then
      struck = struck + 1
    else
      kept = kept .. text:sub(from, ends and ends - 1)
    end
  end
  return struck, kept
end

local stored = redis.call('MGET', unpack(KEYS))
local total, at, writes = 0, 1, {}
for i, ledger in ipairs(KEYS) do
  local ids, n = {}, tonumber(ARGV[at])
  for j = at + 1, at + n do ids[ARGV[j]] = true end
  at = at + n + 1
  if stored[i] then
    local struck, kept = without(stored[i], ids)
    if struck > 0 then
      writes[#writes + 1] = ledger
      writes[#writes + 1] = kept
    end
    total = total + struck
  end
end
if #writes > 0 then redis.call('MSET', unpack(writes)) end
return total
