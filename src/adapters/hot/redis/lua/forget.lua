-- Deletes ledgers that have not changed since they were read.
--
-- KEYS  per user: ledger
-- ARGV  per user: version of the ledger that was read
-- Returns the number of ledgers deleted.

local stored = redis.call('MGET', unpack(KEYS))
local spent = {}
for i, ledger in ipairs(KEYS) do
  if stored[i] and ARGV[i] ~= '' and stored[i]:sub(1, #ARGV[i]) == ARGV[i] then spent[#spent + 1] = ledger end
end
return #spent > 0 and redis.call('DEL', unpack(spent)) or 0
