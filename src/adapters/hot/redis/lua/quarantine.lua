-- Puts users into quarantine who are not in it.
--
-- KEYS  1 quarantine (by time), 2 quarantine (details); then per user: ledger, or '' where it is not the ledger's fault
-- ARGV  1 most users in quarantine; then per user: user, instant in ms, detail
-- Returns the places of those who entered, from 1.
-- Guarantee: whose ledger is gone meanwhile was mended or erased, and does not enter.

local call = redis.call
local quarantine, details = KEYS[1], KEYS[2]
local room = ARGV[1] - call('ZCARD', quarantine)
local entered = {}
for n = 1, #KEYS - 2 do
  local user, at, detail = unpack(ARGV, 3 * n - 1, 3 * n + 1)
  local ledger = KEYS[n + 2]
  local gone = ledger ~= '' and call('EXISTS', ledger) == 0
  if #entered < room and not gone and not call('ZSCORE', quarantine, user) then
    call('ZADD', quarantine, at, user)
    call('HSET', details, user, detail)
    entered[#entered + 1] = n
  end
end
return entered
