-- Puts users into quarantine who are not in it.
--
-- KEYS  1 quarantine (by time), 2 quarantine (details); then per user: ledger
-- ARGV  1 most users in quarantine; then per user: user, instant in ms, detail, 1 where it is the ledger's fault, else 0
-- Returns the places of those who entered, from 1.
-- Guarantee: whose ledger is gone meanwhile was mended or erased, and does not enter.

local call = redis.call
local quarantine, details = KEYS[1], KEYS[2]
local room = ARGV[1] - call('ZCARD', quarantine)
local entered = {}
for n = 1, #KEYS - 2 do
  local user, at, detail, ofLedger = unpack(ARGV, 4 * n - 2, 4 * n + 1)
  local gone = ofLedger == '1' and call('EXISTS', KEYS[n + 2]) == 0
  if #entered < room and not gone and not call('ZSCORE', quarantine, user) then
    call('ZADD', quarantine, at, user)
    call('HSET', details, user, detail)
    entered[#entered + 1] = n
  end
end
return entered
