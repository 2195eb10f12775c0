-- Strikes published events from the pending ones of a batch of users.
--
-- KEYS  per user: ledger, pending
-- ARGV  per user: number n of ids, then n ids
-- Returns the number of events struck.
-- Guarantee: exactly these ids go, whatever was added meanwhile; where any went, the ledger's version moves on, so that
-- a commit based on the earlier state fails.
--@include ledger-head.lua

local ledgers = {}
for i = 1, #KEYS, 2 do ledgers[#ledgers + 1] = KEYS[i] end
local found = redis.call('MGET', unpack(ledgers))

local struck, at = 0, 1
for i, ledger in ipairs(ledgers) do
  local pending, n = KEYS[2 * i], tonumber(ARGV[at])
  local gone = redis.pcall('HDEL', pending, unpack(ARGV, at + 1, at + n))
  -- What is no hash holds no events.
  if type(gone) == 'table' then gone = 0 end
  at = at + n + 1
  struck = struck + gone
  -- Moved on in place, so that the TTL stays.
  if gone > 0 and found[i] then
    local left = redis.call('EXISTS', pending) == 1
    redis.call('SETRANGE', ledger, 0, headAfter(found[i], left and PENDING or STRUCK))
  end
end
return struck
