-- Strikes published events from the pending ones of a batch of users.
--
-- KEYS  per user: ledger
-- ARGV  per user: number n of ids, then n ids
-- Returns the number of events struck.
-- Guarantee: exactly these ids go, whatever was added meanwhile; where any went, the ledger's version moves on, so that
-- a commit based on the earlier state fails.

local VERSION = 8

local KEYS, ARGV = KEYS, ARGV
local stored = redis.call('MGET', unpack(KEYS))
local total, at, writes = 0, 1, {}
for i = 1, #KEYS do
  local text, struck, n = stored[i], 0, tonumber(ARGV[at])
  for j = at + 1, text and at + n or at do
    -- A pending event is a line 'id event' after the ledger; neither holds a line break.
    local from = text:find('\n' .. ARGV[j] .. ' ', VERSION, true)
    if from then
      local next = text:find('\n', from + 1, true)
      text = text:sub(1, from - 1) .. (next and text:sub(next) or '')
      struck = struck + 1
    end
  end
  at = at + n + 1
  if struck > 0 then
    -- A commit counts in the first 7 digits of the version and a strike in the last, which goes from '0' to '~' and round.
    local moved = string.char((text:byte(VERSION) - 47) % 79 + 48)
    writes[#writes + 1] = KEYS[i]
    writes[#writes + 1] = text:sub(1, VERSION - 1) .. moved .. text:sub(VERSION + 1)
    total = total + struck
  end
end
if #writes > 0 then redis.call('MSET', unpack(writes)) end
return total
