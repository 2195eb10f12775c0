-- Strikes published events from the pending ones of a batch of users.
--
-- KEYS  per user: ledger, pending
-- ARGV  per user: number n of ids, then n ids
-- Returns the number of events struck.
-- Guarantee: exactly these ids go, whatever was added meanwhile; where any went, the ledger's version moves on, so that
-- a commit based on the earlier state fails.

local struck, at = 0, 1
for i = 1, #KEYS, 2 do
  local n = tonumber(ARGV[at])
  local gone = redis.call('HDEL', KEYS[i + 1], unpack(ARGV, at + 1, at + n))
  at = at + n + 1
  struck = struck + gone
  if gone > 0 then
    local version = redis.call('GETRANGE', KEYS[i], 0, 7)
    -- The version stands in the first 8 bytes, so it is moved on in place and the TTL stays.
    if version ~= '' then
      redis.call('SETRANGE', KEYS[i], 0, string.format('%08x', ((tonumber(version, 16) or 0) + 1) % 4294967296))
    end
  end
end
return struck
