-- Writes the ledgers of a batch of users, each under three conditions.
--
-- KEYS  1 leased, 2 optouts, 3 quarantine (by time), 4 quarantine (details); then per user: session, ledger
-- ARGV  1 instant until which the lease must still run, 2 end of the claim's lease, 3 largest cart, 4 most users in
--       quarantine, 5-9 names of the fields that decide, see sight.lua; 10 number n of owners, then n owners: of each user,
--       or none where each is their own; then per user:
--       user, digest, version of the ledger that was read, ledger with its pending events; then per user that moves into
--       quarantine or out of it: its place in the batch, the detail or '' to leave, its instant
-- Returns one code per user: COMMITTED, CHANGED or LEASE_LOST. Stops early like read.lua.
-- Guarantee: a ledger is written only while the claim's lease lives, and only if neither session nor ledger has
-- changed since they were read; events and ledger are one text.
--@include sight.lua

local COMMITTED, CHANGED, LEASE_LOST = 1, 0, -1
local BYTES_MAX = 524288
local VERSION = 8
-- How a digest begins: '#', or with the zero byte after no fault.
local HASHED, NO_FAULT = 35, 0

local KEYS, ARGV = KEYS, ARGV
local leased, optouts, quarantine, details = unpack(KEYS, 1, 4)
local leasedUntil, livesOn = ARGV[2], tonumber(ARGV[2]) > tonumber(ARGV[1])
local maxCart, maxQuarantined, names = tonumber(ARGV[3]), tonumber(ARGV[4]), { unpack(ARGV, 5, 9) }
local owners = tonumber(ARGV[10])
local count, first = (#KEYS - 4) / 2, 11 + owners

-- All that can be had in one command for all users.
local users, ledgers = {}, {}
for n = 1, count do
  users[n] = ARGV[first + 4 * (n - 1)]
  ledgers[n] = KEYS[2 * n + 4]
end
local leases = call('ZMSCORE', leased, unpack(users))
local stored = call('MGET', unpack(ledgers))
local optedOut = call('HMGET', optouts, unpack(owners > 0 and { unpack(ARGV, 11, 10 + owners) } or users))
local writes = {}

local function commit(n)
  if leases[n] ~= leasedUntil or not livesOn then return LEASE_LOST, 0 end
  local argAt = first + 4 * (n - 1)
  local seen, version, ledger, text = ARGV[argAt + 1], ARGV[argAt + 2], ledgers[n], stored[n]
  if text then
    if text:sub(1, VERSION) ~= version then return CHANGED, 0 end
  elseif version ~= '' or call('EXISTS', ledger) == 1 then
    return CHANGED, 0
  end
  local begins = seen:byte(1)
  local hashed = begins == HASHED
  local measure = hashed or begins ~= NO_FAULT
  local _, _, digest = sight(KEYS[2 * n + 3], optedOut[n], names, maxCart, measure)
  local bytes = #digest
  if hashed then digest = '#' .. redis.sha1hex(digest) end
  if digest ~= seen then return CHANGED, bytes end
  writes[#writes + 1] = ledger
  writes[#writes + 1] = ARGV[argAt + 3]
  return COMMITTED, bytes
end

local codes, total = {}, 0
for n = 1, count do
  local code, bytes = commit(n)
  codes[n] = code
  total = total + bytes
  if total > BYTES_MAX then break end
end
-- No TTL, for which there is no such command: a ledger that is spent is swept by reconcile.
if #writes > 0 then call('MSET', unpack(writes)) end

for at = first + 4 * count, #ARGV, 3 do
  local n, detail, since = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2]
  if codes[n] == COMMITTED and detail == '' then
    call('ZREM', quarantine, users[n])
    call('HDEL', details, users[n])
  elseif codes[n] == COMMITTED then
    call('ZADD', quarantine, since, users[n])
    call('HSET', details, users[n], detail)
    local over = call('ZCARD', quarantine) - maxQuarantined
    local oldest = over > 0 and call('ZPOPMIN', quarantine, over) or {}
    for i = 1, #oldest, 2 do call('HDEL', details, oldest[i]) end
  end
end
return codes
