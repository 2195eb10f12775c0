-- Writes the ledgers of a batch of users with their new events, each under three conditions.
--
-- KEYS  1 leased, 2 quarantine (by time), 3 quarantine (details); then per user: session, optout, ledger, pending
-- ARGV  1 instant until which the lease must still run, 2 end of the claim's lease, 3 TTL of ledgers in ms,
--       4 largest cart, 5 most users in quarantine, 6 number n of guards, then n names, see sight.lua; then per user:
--       user, digest, head of the ledger that was read, ledger, quarantine ('' as it is, '-' leave, else the detail),
--       its instant, number m of events, then m x (id, event)
-- Returns one code per user: COMMITTED, CHANGED or LEASE_LOST. Stops early like read.lua.
-- Guarantee: a ledger is written only while the claim's lease lives, and only if neither session nor ledger has
-- changed since they were read; events and ledger are written together.
--@include sight.lua
--@include ledger-head.lua

local COMMITTED, CHANGED, LEASE_LOST = 1, 0, -1
local BYTES_MAX = 524288

local leased, quarantine, details = KEYS[1], KEYS[2], KEYS[3]
local mustRunUntil, leasedUntil, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local maxCart, maxQuarantined, names = tonumber(ARGV[4]), tonumber(ARGV[5]), {}
for i = 1, tonumber(ARGV[6]) do names[i] = ARGV[6 + i] end

-- Where each user's arguments begin, and all that can be read in one command for all of them.
local starts, users, wanted = {}, {}, {}
local at = 7 + #names
for keyAt = 4, #KEYS, 4 do
  starts[#starts + 1] = at
  users[#users + 1] = ARGV[at]
  wanted[#wanted + 1] = KEYS[keyAt + 1]
  wanted[#wanted + 1] = KEYS[keyAt + 2]
  at = at + 7 + 2 * tonumber(ARGV[at + 6])
end
local leases = redis.call('ZMSCORE', leased, unpack(users))
local found = redis.call('MGET', unpack(wanted))

local function moveQuarantine(user, detail, since)
  if detail == '-' then
    redis.call('ZREM', quarantine, user)
    redis.call('HDEL', details, user)
    return
  end
  redis.call('ZADD', quarantine, since, user)
  redis.call('HSET', details, user, detail)
  local over = redis.call('ZCARD', quarantine) - maxQuarantined
  if over <= 0 then return end
  local oldest = redis.call('ZPOPMIN', quarantine, over)
  for i = 1, #oldest, 2 do redis.call('HDEL', details, oldest[i]) end
end

local function commit(n)
  local keyAt, argAt = 4 * n, starts[n]
  local lease = tonumber(leases[n] or nil)
  if lease ~= leasedUntil or lease <= mustRunUntil then return LEASE_LOST, 0 end
  local head, optedOutAt, ledger = ARGV[argAt + 2], found[2 * n - 1], found[2 * n]
  if ledger then
    if ledger:sub(1, HEAD) ~= head then return CHANGED, 0 end
  elseif head ~= '' or redis.call('EXISTS', KEYS[keyAt + 2]) == 1 then
    return CHANGED, 0
  end
  local _, _, _, digest, bytes = sight(KEYS[keyAt], optedOutAt, maxCart, names, #names)
  if digest ~= ARGV[argAt + 1] then return CHANGED, bytes end
  local events, mark = tonumber(ARGV[argAt + 6]), ledger and ledger:sub(HEAD, HEAD)
  -- A ledger that was deleted or ran out may have left events behind.
  if not mark then mark = redis.call('EXISTS', KEYS[keyAt + 3]) == 1 and PENDING or STRUCK end
  if events > 0 then
    local added = redis.pcall('HSET', KEYS[keyAt + 3], unpack(ARGV, argAt + 7, argAt + 6 + 2 * events))
    if type(added) == 'table' then return CHANGED, bytes end
    mark = PENDING
  end
  redis.call('SET', KEYS[keyAt + 2], headAfter(head, mark) .. ARGV[argAt + 3], 'PX', ttl)
  if ARGV[argAt + 4] ~= '' then moveQuarantine(users[n], ARGV[argAt + 4], ARGV[argAt + 5]) end
  return COMMITTED, bytes
end

local codes, total = {}, 0
for n = 1, #users do
  local code, bytes = commit(n)
  codes[n] = code
  total = total + bytes
  if total > BYTES_MAX then break end
end
return codes
